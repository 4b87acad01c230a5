"""A sound as a mixture of K components: the one seam between cutting a sound up and everything that is done with it."""
