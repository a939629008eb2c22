"""One file per resource: what each address does. Which addresses there are, and for whom, stands in api/app.py."""
