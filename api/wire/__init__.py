"""The Structs that requests are made of. An unknown field is refused; a limit stands in the type it limits."""
