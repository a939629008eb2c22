"""The panel, page by page, without a browser and with one."""
