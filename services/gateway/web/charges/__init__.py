"""Pages of charges: statements and payments; at the desk, waivers and refunds."""
