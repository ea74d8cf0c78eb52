"""Other models, asked and read as each wants to be, with predictions as ours have them."""
