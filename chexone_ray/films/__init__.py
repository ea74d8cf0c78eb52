"""Films as they lie in archives: DICOM, JPEG and grey levels, to 8-bit pixels."""
