"""From the bytes of a feed to its rows, one module per shape; ``formats`` chooses among them."""
