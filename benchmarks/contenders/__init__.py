"""What is measured side by side: this toolkit, and what a person would use instead; each in a process of its own."""
