//! Why an object is not sent as de-identified, and what could be done. Nothing of the object is
//! repeated.

/// An object that the profile cannot vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Burned In Annotation (0028,0301) is YES and no rule says where.
    #[error("text is burned into its pixels: a device rule under clean-pixel-data has to say where")]
    BurnedIn,
    /// An object of a kind that often carries text in its pixels, and does not say NO.
    #[error(
        "objects of its kind often have text in their pixels: a device rule under clean-pixel-data has to say where"
    )]
    MaybeBurnedIn,
    /// The pixels would have to be cleaned, and are compressed.
    #[error("its pixels would have to be cleaned and are compressed: that waits for codecs")]
    Compressed,
    /// The pixels would have to be cleaned, and their layout is not understood.
    #[error("its pixels would have to be cleaned and are not laid out as its header says")]
    PixelGeometry,
    /// The rule keeps ultrasound regions alone, and there are none.
    #[error("the device rule keeps ultrasound regions alone and it names none")]
    NoUltrasoundRegions,
    /// Overlays in unused bits of the pixels, PS3.5 8.1.2 (retired).
    #[error("overlays hide in unused bits of its pixels: that form is retired and not cleaned")]
    EmbeddedOverlay,
    /// A face could be reconstructed, or nobody says that none can.
    #[error("nothing says that no face can be seen in it (0028,0302), and faces are not removed here")]
    RecognizableFeatures,
    /// A document in a format of its own: PDF, CDA, STL.
    #[error("it encapsulates a document, which is not looked into")]
    Document,
    /// A voice.
    #[error("it is a sound recording, and voices identify")]
    Audio,
    /// A structured report, without the option for it.
    #[error("it is a structured report: the option clean-structured-content keeps its tree without its texts")]
    StructuredReport,
    /// Raw data.
    #[error("it is raw data in a maker's own form, which is not looked into")]
    RawData,
    /// A SOP class that no table here knows.
    #[error("its SOP class is private or unknown here: a device rule with sop_class vouches for it")]
    UnknownSopClass,
    /// A compressed syntax whose data set refers to pixels elsewhere.
    #[error("its transfer syntax keeps the pixels elsewhere")]
    TransferSyntax,
    /// Elements are not in the order of their tags.
    #[error("its elements are out of order, so that its header cannot be trusted")]
    OutOfOrder,
    /// It cannot be read.
    #[error("it cannot be read to its end")]
    Unreadable,
}

impl Refusal {
    /// A short name for tables and headers.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::BurnedIn => "burned-in",
            Refusal::MaybeBurnedIn => "maybe-burned-in",
            Refusal::Compressed => "compressed",
            Refusal::PixelGeometry => "pixel-geometry",
            Refusal::NoUltrasoundRegions => "no-ultrasound-regions",
            Refusal::EmbeddedOverlay => "embedded-overlay",
            Refusal::RecognizableFeatures => "recognizable-features",
            Refusal::Document => "document",
            Refusal::Audio => "audio",
            Refusal::StructuredReport => "structured-report",
            Refusal::RawData => "raw-data",
            Refusal::UnknownSopClass => "unknown-sop-class",
            Refusal::TransferSyntax => "transfer-syntax",
            Refusal::OutOfOrder => "out-of-order",
            Refusal::Unreadable => "unreadable",
        }
    }
}
