"""The portal's database, and the only SQL of this project."""
