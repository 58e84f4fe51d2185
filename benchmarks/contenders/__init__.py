"""The programs that are compared: this toolkit and its alternatives, each in a process of its own."""
