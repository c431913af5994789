"""What an OpenAI-compatible endpoint must do on the wire, as checks that anybody can run."""
