"""The programs that are measured side by side: this toolkit and its alternatives, each in a process of its own."""
