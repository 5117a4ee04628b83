"""How fast and how large: telesurv beside what people write today, in one run."""
