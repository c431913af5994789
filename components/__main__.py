"""The component provider, started by the engine where a program's packages name this folder."""

from portway.provider.host import serve

if __name__ == "__main__":
    serve()
