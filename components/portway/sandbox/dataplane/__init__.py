"""What answers requests: deployed containers and functions run as processes on loopback."""
