"""Programs that write pages and pictures, and the hooks of the site."""
