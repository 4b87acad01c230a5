"""The server of a listening study: participants join, hear and answer; experimenters watch and download.

models -> database -> store (what is kept) -> presented, sounds, answers, rows, progress (what is sent, taken and told)
-> the routes: pages, participants, experimenters, webmushra, and openapi, which describes them -> app -> connections,
serve.
"""
