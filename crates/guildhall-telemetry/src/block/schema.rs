//! The columns of `spans.parquet`.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use crate::rows::{Column, ValueKind};

/// Before the key, the name of an attribute's column says its type.
pub(super) fn attribute_name(key: &str, kind: ValueKind) -> String {
    let prefix = match kind {
        ValueKind::Text => "text",
        ValueKind::Int => "int",
        ValueKind::Double => "double",
        ValueKind::Bool => "bool",
        ValueKind::Other => "other",
    };
    format!("{prefix}:{key}")
}

fn dense(name: &str, physical: Physical) -> Result<TypePtr, ParquetError> {
    let column = Type::primitive_type_builder(name, physical);
    let column = column.with_repetition(Repetition::REQUIRED);
    column.build().map(Arc::new)
}

fn ids(name: &str, repetition: Repetition) -> Result<TypePtr, ParquetError> {
    let column = Type::primitive_type_builder(name, Physical::FIXED_LEN_BYTE_ARRAY);
    let column = column.with_length(8).with_repetition(repetition);
    column.build().map(Arc::new)
}

fn sparse(name: &str, physical: Physical) -> Result<TypePtr, ParquetError> {
    let column = Type::primitive_type_builder(name, physical);
    let column = column.with_repetition(Repetition::OPTIONAL);
    column.build().map(Arc::new)
}

fn words(name: &str) -> Result<TypePtr, ParquetError> {
    let column = Type::primitive_type_builder(name, Physical::BYTE_ARRAY);
    let column = column.with_repetition(Repetition::REQUIRED);
    let column = column.with_logical_type(Some(LogicalType::String));
    column.build().map(Arc::new)
}

fn text(name: &str) -> Result<TypePtr, ParquetError> {
    let column = Type::primitive_type_builder(name, Physical::BYTE_ARRAY);
    let column = column.with_repetition(Repetition::OPTIONAL);
    let column = column.with_logical_type(Some(LogicalType::String));
    column.build().map(Arc::new)
}

/// The schema of spans with these attributes.
pub(super) fn spans(attributes: &[Column]) -> Result<TypePtr, ParquetError> {
    let mut fields = vec![
        dense("trace", Physical::INT32)?,
        ids("span_id", Repetition::REQUIRED)?,
        ids("parent", Repetition::OPTIONAL)?,
        dense("start", Physical::INT64)?,
        dense("duration", Physical::INT64)?,
        dense("kind", Physical::INT32)?,
        dense("status", Physical::INT32)?,
        dense("flags", Physical::INT32)?,
        words("service")?,
        words("name")?,
        dense("resource", Physical::INT32)?,
        dense("scope", Physical::INT32)?,
        text("message")?,
        text("trace_state")?,
        sparse("details", Physical::BYTE_ARRAY)?,
        sparse("rest", Physical::BYTE_ARRAY)?,
    ];
    for column in attributes {
        let name = attribute_name(&column.key, column.kind());
        fields.push(match column.kind() {
            ValueKind::Text => text(&name)?,
            ValueKind::Int => sparse(&name, Physical::INT64)?,
            ValueKind::Double => sparse(&name, Physical::DOUBLE)?,
            ValueKind::Bool => sparse(&name, Physical::BOOLEAN)?,
            ValueKind::Other => sparse(&name, Physical::BYTE_ARRAY)?,
        });
    }
    Type::group_type_builder("span")
        .with_fields(fields)
        .build()
        .map(Arc::new)
}

/// The schema of `traces.parquet`.
pub(super) fn traces() -> Result<TypePtr, ParquetError> {
    let id = Type::primitive_type_builder("id", Physical::FIXED_LEN_BYTE_ARRAY);
    let id = id.with_length(16).with_repetition(Repetition::REQUIRED);
    let fields = vec![
        Arc::new(id.build()?),
        dense("start", Physical::INT64)?,
        dense("duration", Physical::INT64)?,
        dense("spans", Physical::INT32)?,
        dense("errors", Physical::INT32)?,
        dense("root", Physical::BOOLEAN)?,
        words("service")?,
        words("name")?,
        dense("rows", Physical::BYTE_ARRAY)?,
    ];
    Type::group_type_builder("trace")
        .with_fields(fields)
        .build()
        .map(Arc::new)
}

/// How the columns of `traces.parquet` are written.
pub(super) fn trace_properties() -> Result<WriterProperties, ParquetError> {
    let path = |name: &str| ColumnPath::from(name);
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_max_row_group_row_count(None)
        .set_data_page_row_count_limit(PAGE)
        .set_write_batch_size(PAGE)
        .set_column_statistics_enabled(path("start"), EnabledStatistics::Page);
    for name in ["start", "duration"] {
        builder = builder
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::DELTA_BINARY_PACKED);
    }
    builder = builder
        .set_column_dictionary_enabled(path("id"), false)
        .set_column_compression(path("id"), Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(path("rows"), false)
        .set_column_encoding(path("rows"), Encoding::DELTA_LENGTH_BYTE_ARRAY);
    Ok(builder.build())
}

/// The rows of a page: what is decoded to get at one of them.
const PAGE: usize = 2048;

/// How the columns are written; `distinct` are texts of which most differ.
pub(super) fn properties(distinct: &[(ColumnPath, u64)]) -> Result<WriterProperties, ParquetError> {
    let path = |name: &str| ColumnPath::from(name);
    let plain = |builder: WriterPropertiesBuilder, name: &str, encoding: Encoding| {
        builder
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), encoding)
    };
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_max_row_group_row_count(None)
        .set_data_page_row_count_limit(PAGE)
        .set_write_batch_size(PAGE)
        .set_column_statistics_enabled(path("service"), EnabledStatistics::Chunk)
        .set_column_statistics_enabled(path("name"), EnabledStatistics::Chunk)
        .set_column_statistics_enabled(path("start"), EnabledStatistics::Page)
        .set_column_statistics_enabled(path("duration"), EnabledStatistics::Page);
    for name in ["trace", "start", "duration"] {
        builder = plain(builder, name, Encoding::DELTA_BINARY_PACKED);
    }
    for name in ["span_id", "parent"] {
        builder = plain(builder, name, Encoding::PLAIN)
            .set_column_compression(path(name), Compression::UNCOMPRESSED);
    }
    for (path, count) in distinct {
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_max_ndv(path.clone(), *count)
            .set_column_bloom_filter_fpp(path.clone(), 0.01);
    }
    Ok(builder.build())
}
