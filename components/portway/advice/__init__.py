"""Where a spec is cheapest: every target, region and sensible scaling, compared. Pure."""
