"""Jobs of messages: what waits is sent."""
