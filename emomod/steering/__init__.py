"""Ask for an emotion, get the gains: how a sound has to change to be heard as wanted, and what else can do that."""
