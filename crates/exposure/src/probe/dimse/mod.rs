//! The DIMSE family (D): what an archive grants to a stranger who speaks DICOM.
