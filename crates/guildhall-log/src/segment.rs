//! One segment file.
pub(crate) struct Segment {
    pub(crate) first: crate::Sequence,
}
impl crate::view::Shared {
    pub(crate) fn oldest(&self) -> crate::Sequence {
        unimplemented!()
    }
}
