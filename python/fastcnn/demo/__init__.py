"""The demonstration: every application on a few pictures, as one page or one picture.

`fastcnn.demo.sections` computes, `fastcnn.demo.page` writes HTML, `fastcnn.demo.poster` draws the
classifications alone.
"""
