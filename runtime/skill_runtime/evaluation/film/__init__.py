"""Moving pictures of the tabletop: frames of a camera, a caption, and the file of all frames."""
