"""How the portal is configured and started."""
