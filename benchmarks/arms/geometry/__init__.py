"""The published geometry of the arms, compared with the collision model.

- ``collision_shapes``: distances and extents of links and shapes.
- ``published_meshes``: points of the links in franka_description (``collision_shapes``).
"""
