"""Analysis of a listening study: did listeners hear what the model predicted?

Every module takes the table of answers that imports and server write (see ``tables``) and gives frozen results; none
draws a plot or writes a file. ``exclusions`` says who counts; ``agreement``, ``permutation`` and ``ceiling`` compare
the model with listeners, and them with each other; ``selectivity`` does so for every pair of attributes; ``mixed``,
``preference``, ``detection`` and ``reliability`` are statistics of single questions; ``simulate``, ``power`` and
``recovery`` show, before anyone is invited, what a study could find and whether the analysis finds what is there.
"""
