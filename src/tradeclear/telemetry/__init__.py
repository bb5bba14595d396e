"""Every metric and every log event name, in one place."""
