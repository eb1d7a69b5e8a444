//! DICOMweb and portals (W).
