"""Push, replace, delete, scrape: the product, on top of store and view."""
