"""The hooks that pytest sees."""
