"""Models at work: loading, streaming, and the laws that a stream keeps."""
