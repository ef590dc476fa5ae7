"""Model families: functions from sizes to graphs, a module each (rtaudio.models.denoiser ...)."""
