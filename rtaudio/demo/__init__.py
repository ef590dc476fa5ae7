"""The demo: a recording cleaned, measured, drawn, and put on a page for listening."""
