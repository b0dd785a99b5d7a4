"""What a sync of one table writes, worked out from a listing, the stored rows and the answers by id. Pure."""
