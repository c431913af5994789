"""Gates: what the policy packs share, and the preview that runs them."""
