"""The parts of tag_tracker.py: from camera images to the pose of the cube.

- ``tags``: the printed tags and their places on the cube and on the calibration sheet.
- ``sheet``: the printable pages, a PDF at true size.
- ``camera``: one calibrated camera.
- ``camera_file``: the file with the calibration of all cameras.
- ``sources``: images of a device, a stream or a video file, with their times of exposure.
- ``detection``: the tags in one image.
- ``calibrate``: intrinsics and extrinsics from the calibration sheet.
- ``fit``: least squares of one pose over the corners of all tags.
- ``estimator``: on the table or not, which pose is reported, and which is refused.
- ``watching``: a thread for each camera.
- ``sending``: poses to the server, each with its time on the server's clock.
- ``picture``: an image with the detected tags, in a window or in a file.
"""


class TrackerError(Exception):
    """A problem that ends the program; the text names the fix."""
