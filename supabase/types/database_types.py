from __future__ import annotations

import datetime
import uuid
from typing import (
    Annotated,
    Any,
    List,
    Literal,
    Optional,
    TypedDict,
)
from typing_extensions import NotRequired, TypeAlias

from pydantic import BaseModel, Field, JsonValue


PgCatalogInet: TypeAlias = Any


class PublicApiConfigurations(BaseModel):
    api_key_encrypted: str = Field(alias="api_key_encrypted")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    is_active: bool = Field(alias="is_active")
    is_validated: bool = Field(alias="is_validated")
    last_used_at: Optional[datetime.datetime] = Field(alias="last_used_at")
    last_validated_at: Optional[datetime.datetime] = Field(alias="last_validated_at")
    provider: str = Field(alias="provider")
    updated_at: datetime.datetime = Field(alias="updated_at")
    usage_count: int = Field(alias="usage_count")
    user_id: uuid.UUID = Field(alias="user_id")
    validation_error: Optional[str] = Field(alias="validation_error")


class PublicApiConfigurationsInsert(TypedDict):
    api_key_encrypted: Annotated[str, Field(alias="api_key_encrypted")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    is_validated: NotRequired[Annotated[bool, Field(alias="is_validated")]]
    last_used_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="last_used_at")]]
    last_validated_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="last_validated_at")]]
    provider: Annotated[str, Field(alias="provider")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    usage_count: NotRequired[Annotated[int, Field(alias="usage_count")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]
    validation_error: NotRequired[Annotated[Optional[str], Field(alias="validation_error")]]


class PublicApiConfigurationsUpdate(TypedDict):
    api_key_encrypted: NotRequired[Annotated[str, Field(alias="api_key_encrypted")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    is_validated: NotRequired[Annotated[bool, Field(alias="is_validated")]]
    last_used_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="last_used_at")]]
    last_validated_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="last_validated_at")]]
    provider: NotRequired[Annotated[str, Field(alias="provider")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    usage_count: NotRequired[Annotated[int, Field(alias="usage_count")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]
    validation_error: NotRequired[Annotated[Optional[str], Field(alias="validation_error")]]


class PublicApiProviders(BaseModel):
    api_key_pattern: Optional[str] = Field(alias="api_key_pattern")
    base_url: str = Field(alias="base_url")
    created_at: datetime.datetime = Field(alias="created_at")
    display_name: str = Field(alias="display_name")
    id: uuid.UUID = Field(alias="id")
    is_enabled: bool = Field(alias="is_enabled")
    max_requests_per_day: int = Field(alias="max_requests_per_day")
    max_requests_per_minute: int = Field(alias="max_requests_per_minute")
    name: str = Field(alias="name")
    supported_models: Optional[JsonValue] = Field(alias="supported_models")
    updated_at: datetime.datetime = Field(alias="updated_at")
    validation_rules: Optional[JsonValue] = Field(alias="validation_rules")


class PublicApiProvidersInsert(TypedDict):
    api_key_pattern: NotRequired[Annotated[Optional[str], Field(alias="api_key_pattern")]]
    base_url: Annotated[str, Field(alias="base_url")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    display_name: Annotated[str, Field(alias="display_name")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_enabled: NotRequired[Annotated[bool, Field(alias="is_enabled")]]
    max_requests_per_day: NotRequired[Annotated[int, Field(alias="max_requests_per_day")]]
    max_requests_per_minute: NotRequired[Annotated[int, Field(alias="max_requests_per_minute")]]
    name: Annotated[str, Field(alias="name")]
    supported_models: NotRequired[Annotated[Optional[JsonValue], Field(alias="supported_models")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    validation_rules: NotRequired[Annotated[Optional[JsonValue], Field(alias="validation_rules")]]


class PublicApiProvidersUpdate(TypedDict):
    api_key_pattern: NotRequired[Annotated[Optional[str], Field(alias="api_key_pattern")]]
    base_url: NotRequired[Annotated[str, Field(alias="base_url")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    display_name: NotRequired[Annotated[str, Field(alias="display_name")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_enabled: NotRequired[Annotated[bool, Field(alias="is_enabled")]]
    max_requests_per_day: NotRequired[Annotated[int, Field(alias="max_requests_per_day")]]
    max_requests_per_minute: NotRequired[Annotated[int, Field(alias="max_requests_per_minute")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    supported_models: NotRequired[Annotated[Optional[JsonValue], Field(alias="supported_models")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    validation_rules: NotRequired[Annotated[Optional[JsonValue], Field(alias="validation_rules")]]


class PublicApiUsageLogs(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    endpoint: Optional[str] = Field(alias="endpoint")
    error_message: Optional[str] = Field(alias="error_message")
    id: uuid.UUID = Field(alias="id")
    provider: str = Field(alias="provider")
    request_size: Optional[int] = Field(alias="request_size")
    response_size: Optional[int] = Field(alias="response_size")
    response_time_ms: Optional[int] = Field(alias="response_time_ms")
    status_code: Optional[int] = Field(alias="status_code")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicApiUsageLogsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    endpoint: NotRequired[Annotated[Optional[str], Field(alias="endpoint")]]
    error_message: NotRequired[Annotated[Optional[str], Field(alias="error_message")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    provider: Annotated[str, Field(alias="provider")]
    request_size: NotRequired[Annotated[Optional[int], Field(alias="request_size")]]
    response_size: NotRequired[Annotated[Optional[int], Field(alias="response_size")]]
    response_time_ms: NotRequired[Annotated[Optional[int], Field(alias="response_time_ms")]]
    status_code: NotRequired[Annotated[Optional[int], Field(alias="status_code")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicApiUsageLogsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    endpoint: NotRequired[Annotated[Optional[str], Field(alias="endpoint")]]
    error_message: NotRequired[Annotated[Optional[str], Field(alias="error_message")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    provider: NotRequired[Annotated[str, Field(alias="provider")]]
    request_size: NotRequired[Annotated[Optional[int], Field(alias="request_size")]]
    response_size: NotRequired[Annotated[Optional[int], Field(alias="response_size")]]
    response_time_ms: NotRequired[Annotated[Optional[int], Field(alias="response_time_ms")]]
    status_code: NotRequired[Annotated[Optional[int], Field(alias="status_code")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicAuditLog(BaseModel):
    action: str = Field(alias="action")
    actor_id: Optional[uuid.UUID] = Field(alias="actor_id")
    actor_role: str = Field(alias="actor_role")
    changes: Optional[JsonValue] = Field(alias="changes")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    ip_address: Optional[PgCatalogInet] = Field(alias="ip_address")
    request_id: Optional[str] = Field(alias="request_id")
    row_id: Optional[uuid.UUID] = Field(alias="row_id")
    subject_id: Optional[uuid.UUID] = Field(alias="subject_id")
    table_name: str = Field(alias="table_name")
    user_agent: Optional[str] = Field(alias="user_agent")


class PublicAuditLogInsert(TypedDict):
    action: Annotated[str, Field(alias="action")]
    actor_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="actor_id")]]
    actor_role: Annotated[str, Field(alias="actor_role")]
    changes: NotRequired[Annotated[Optional[JsonValue], Field(alias="changes")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    ip_address: NotRequired[Annotated[Optional[PgCatalogInet], Field(alias="ip_address")]]
    request_id: NotRequired[Annotated[Optional[str], Field(alias="request_id")]]
    row_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="row_id")]]
    subject_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="subject_id")]]
    table_name: Annotated[str, Field(alias="table_name")]
    user_agent: NotRequired[Annotated[Optional[str], Field(alias="user_agent")]]


class PublicAuditLogUpdate(TypedDict):
    action: NotRequired[Annotated[str, Field(alias="action")]]
    actor_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="actor_id")]]
    actor_role: NotRequired[Annotated[str, Field(alias="actor_role")]]
    changes: NotRequired[Annotated[Optional[JsonValue], Field(alias="changes")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    ip_address: NotRequired[Annotated[Optional[PgCatalogInet], Field(alias="ip_address")]]
    request_id: NotRequired[Annotated[Optional[str], Field(alias="request_id")]]
    row_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="row_id")]]
    subject_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="subject_id")]]
    table_name: NotRequired[Annotated[str, Field(alias="table_name")]]
    user_agent: NotRequired[Annotated[Optional[str], Field(alias="user_agent")]]


class PublicFeedback(BaseModel):
    admin_response: Optional[str] = Field(alias="admin_response")
    admin_user_id: Optional[uuid.UUID] = Field(alias="admin_user_id")
    browser_info: Optional[JsonValue] = Field(alias="browser_info")
    category_id: Optional[uuid.UUID] = Field(alias="category_id")
    contact_email: Optional[str] = Field(alias="contact_email")
    contact_name: Optional[str] = Field(alias="contact_name")
    created_at: datetime.datetime = Field(alias="created_at")
    device_info: Optional[JsonValue] = Field(alias="device_info")
    feedback_type: str = Field(alias="feedback_type")
    id: uuid.UUID = Field(alias="id")
    message: str = Field(alias="message")
    priority: str = Field(alias="priority")
    rating: Optional[int] = Field(alias="rating")
    responded_at: Optional[datetime.datetime] = Field(alias="responded_at")
    status: str = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_agent: Optional[str] = Field(alias="user_agent")
    user_id: Optional[uuid.UUID] = Field(alias="user_id")


class PublicFeedbackInsert(TypedDict):
    admin_response: NotRequired[Annotated[Optional[str], Field(alias="admin_response")]]
    admin_user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="admin_user_id")]]
    browser_info: NotRequired[Annotated[Optional[JsonValue], Field(alias="browser_info")]]
    category_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="category_id")]]
    contact_email: NotRequired[Annotated[Optional[str], Field(alias="contact_email")]]
    contact_name: NotRequired[Annotated[Optional[str], Field(alias="contact_name")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    device_info: NotRequired[Annotated[Optional[JsonValue], Field(alias="device_info")]]
    feedback_type: NotRequired[Annotated[str, Field(alias="feedback_type")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    message: Annotated[str, Field(alias="message")]
    priority: NotRequired[Annotated[str, Field(alias="priority")]]
    rating: NotRequired[Annotated[Optional[int], Field(alias="rating")]]
    responded_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="responded_at")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_agent: NotRequired[Annotated[Optional[str], Field(alias="user_agent")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]


class PublicFeedbackUpdate(TypedDict):
    admin_response: NotRequired[Annotated[Optional[str], Field(alias="admin_response")]]
    admin_user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="admin_user_id")]]
    browser_info: NotRequired[Annotated[Optional[JsonValue], Field(alias="browser_info")]]
    category_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="category_id")]]
    contact_email: NotRequired[Annotated[Optional[str], Field(alias="contact_email")]]
    contact_name: NotRequired[Annotated[Optional[str], Field(alias="contact_name")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    device_info: NotRequired[Annotated[Optional[JsonValue], Field(alias="device_info")]]
    feedback_type: NotRequired[Annotated[str, Field(alias="feedback_type")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    message: NotRequired[Annotated[str, Field(alias="message")]]
    priority: NotRequired[Annotated[str, Field(alias="priority")]]
    rating: NotRequired[Annotated[Optional[int], Field(alias="rating")]]
    responded_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="responded_at")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_agent: NotRequired[Annotated[Optional[str], Field(alias="user_agent")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]


class PublicFeedbackAnalytics(BaseModel):
    avg_rating: Optional[float] = Field(alias="avg_rating")
    avg_response_time_hours: Optional[float] = Field(alias="avg_response_time_hours")
    created_at: datetime.datetime = Field(alias="created_at")
    date: datetime.date = Field(alias="date")
    feedback_by_priority: Optional[JsonValue] = Field(alias="feedback_by_priority")
    feedback_by_type: Optional[JsonValue] = Field(alias="feedback_by_type")
    id: uuid.UUID = Field(alias="id")
    resolved_feedback: int = Field(alias="resolved_feedback")
    total_feedback: int = Field(alias="total_feedback")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicFeedbackAnalyticsInsert(TypedDict):
    avg_rating: NotRequired[Annotated[Optional[float], Field(alias="avg_rating")]]
    avg_response_time_hours: NotRequired[Annotated[Optional[float], Field(alias="avg_response_time_hours")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    date: Annotated[datetime.date, Field(alias="date")]
    feedback_by_priority: NotRequired[Annotated[Optional[JsonValue], Field(alias="feedback_by_priority")]]
    feedback_by_type: NotRequired[Annotated[Optional[JsonValue], Field(alias="feedback_by_type")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    resolved_feedback: NotRequired[Annotated[int, Field(alias="resolved_feedback")]]
    total_feedback: NotRequired[Annotated[int, Field(alias="total_feedback")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicFeedbackAnalyticsUpdate(TypedDict):
    avg_rating: NotRequired[Annotated[Optional[float], Field(alias="avg_rating")]]
    avg_response_time_hours: NotRequired[Annotated[Optional[float], Field(alias="avg_response_time_hours")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    date: NotRequired[Annotated[datetime.date, Field(alias="date")]]
    feedback_by_priority: NotRequired[Annotated[Optional[JsonValue], Field(alias="feedback_by_priority")]]
    feedback_by_type: NotRequired[Annotated[Optional[JsonValue], Field(alias="feedback_by_type")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    resolved_feedback: NotRequired[Annotated[int, Field(alias="resolved_feedback")]]
    total_feedback: NotRequired[Annotated[int, Field(alias="total_feedback")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicFeedbackCategories(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    description: Optional[str] = Field(alias="description")
    id: uuid.UUID = Field(alias="id")
    is_active: bool = Field(alias="is_active")
    name: str = Field(alias="name")
    parent_id: Optional[uuid.UUID] = Field(alias="parent_id")
    sort_order: int = Field(alias="sort_order")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicFeedbackCategoriesInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[Optional[str], Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    name: Annotated[str, Field(alias="name")]
    parent_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="parent_id")]]
    sort_order: NotRequired[Annotated[int, Field(alias="sort_order")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicFeedbackCategoriesUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[Optional[str], Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    parent_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="parent_id")]]
    sort_order: NotRequired[Annotated[int, Field(alias="sort_order")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicFeedbackTagAssignments(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    feedback_id: uuid.UUID = Field(alias="feedback_id")
    id: uuid.UUID = Field(alias="id")
    tag_id: uuid.UUID = Field(alias="tag_id")


class PublicFeedbackTagAssignmentsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    feedback_id: Annotated[uuid.UUID, Field(alias="feedback_id")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    tag_id: Annotated[uuid.UUID, Field(alias="tag_id")]


class PublicFeedbackTagAssignmentsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    feedback_id: NotRequired[Annotated[uuid.UUID, Field(alias="feedback_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    tag_id: NotRequired[Annotated[uuid.UUID, Field(alias="tag_id")]]


class PublicFeedbackTags(BaseModel):
    color: str = Field(alias="color")
    created_at: datetime.datetime = Field(alias="created_at")
    description: Optional[str] = Field(alias="description")
    id: uuid.UUID = Field(alias="id")
    is_active: bool = Field(alias="is_active")
    name: str = Field(alias="name")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicFeedbackTagsInsert(TypedDict):
    color: NotRequired[Annotated[str, Field(alias="color")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[Optional[str], Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    name: Annotated[str, Field(alias="name")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicFeedbackTagsUpdate(TypedDict):
    color: NotRequired[Annotated[str, Field(alias="color")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[Optional[str], Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicPromptFrameworks(BaseModel):
    components: JsonValue = Field(alias="components")
    created_at: datetime.datetime = Field(alias="created_at")
    description: str = Field(alias="description")
    display_name: str = Field(alias="display_name")
    examples: Optional[JsonValue] = Field(alias="examples")
    id: uuid.UUID = Field(alias="id")
    is_enabled: bool = Field(alias="is_enabled")
    name: str = Field(alias="name")
    sort_order: int = Field(alias="sort_order")
    template: str = Field(alias="template")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicPromptFrameworksInsert(TypedDict):
    components: Annotated[JsonValue, Field(alias="components")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: Annotated[str, Field(alias="description")]
    display_name: Annotated[str, Field(alias="display_name")]
    examples: NotRequired[Annotated[Optional[JsonValue], Field(alias="examples")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_enabled: NotRequired[Annotated[bool, Field(alias="is_enabled")]]
    name: Annotated[str, Field(alias="name")]
    sort_order: NotRequired[Annotated[int, Field(alias="sort_order")]]
    template: Annotated[str, Field(alias="template")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicPromptFrameworksUpdate(TypedDict):
    components: NotRequired[Annotated[JsonValue, Field(alias="components")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[str, Field(alias="description")]]
    display_name: NotRequired[Annotated[str, Field(alias="display_name")]]
    examples: NotRequired[Annotated[Optional[JsonValue], Field(alias="examples")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_enabled: NotRequired[Annotated[bool, Field(alias="is_enabled")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    sort_order: NotRequired[Annotated[int, Field(alias="sort_order")]]
    template: NotRequired[Annotated[str, Field(alias="template")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicPromptHistory(BaseModel):
    ai_response: Optional[str] = Field(alias="ai_response")
    cost_usd: Optional[float] = Field(alias="cost_usd")
    created_at: datetime.datetime = Field(alias="created_at")
    error_code: Optional[str] = Field(alias="error_code")
    error_message: Optional[str] = Field(alias="error_message")
    framework_id: str = Field(alias="framework_id")
    framework_name: str = Field(alias="framework_name")
    id: uuid.UUID = Field(alias="id")
    length: Optional[str] = Field(alias="length")
    max_tokens: Optional[int] = Field(alias="max_tokens")
    model: str = Field(alias="model")
    processing_time_ms: Optional[int] = Field(alias="processing_time_ms")
    provider: str = Field(alias="provider")
    status: str = Field(alias="status")
    temperature: Optional[float] = Field(alias="temperature")
    tokens_used: Optional[int] = Field(alias="tokens_used")
    tone: Optional[str] = Field(alias="tone")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: uuid.UUID = Field(alias="user_id")
    user_input: str = Field(alias="user_input")
    vibe_coding: bool = Field(alias="vibe_coding")


class PublicPromptHistoryInsert(TypedDict):
    ai_response: NotRequired[Annotated[Optional[str], Field(alias="ai_response")]]
    cost_usd: NotRequired[Annotated[Optional[float], Field(alias="cost_usd")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    error_code: NotRequired[Annotated[Optional[str], Field(alias="error_code")]]
    error_message: NotRequired[Annotated[Optional[str], Field(alias="error_message")]]
    framework_id: Annotated[str, Field(alias="framework_id")]
    framework_name: Annotated[str, Field(alias="framework_name")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    length: NotRequired[Annotated[Optional[str], Field(alias="length")]]
    max_tokens: NotRequired[Annotated[Optional[int], Field(alias="max_tokens")]]
    model: Annotated[str, Field(alias="model")]
    processing_time_ms: NotRequired[Annotated[Optional[int], Field(alias="processing_time_ms")]]
    provider: Annotated[str, Field(alias="provider")]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    temperature: NotRequired[Annotated[Optional[float], Field(alias="temperature")]]
    tokens_used: NotRequired[Annotated[Optional[int], Field(alias="tokens_used")]]
    tone: NotRequired[Annotated[Optional[str], Field(alias="tone")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]
    user_input: Annotated[str, Field(alias="user_input")]
    vibe_coding: NotRequired[Annotated[bool, Field(alias="vibe_coding")]]


class PublicPromptHistoryUpdate(TypedDict):
    ai_response: NotRequired[Annotated[Optional[str], Field(alias="ai_response")]]
    cost_usd: NotRequired[Annotated[Optional[float], Field(alias="cost_usd")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    error_code: NotRequired[Annotated[Optional[str], Field(alias="error_code")]]
    error_message: NotRequired[Annotated[Optional[str], Field(alias="error_message")]]
    framework_id: NotRequired[Annotated[str, Field(alias="framework_id")]]
    framework_name: NotRequired[Annotated[str, Field(alias="framework_name")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    length: NotRequired[Annotated[Optional[str], Field(alias="length")]]
    max_tokens: NotRequired[Annotated[Optional[int], Field(alias="max_tokens")]]
    model: NotRequired[Annotated[str, Field(alias="model")]]
    processing_time_ms: NotRequired[Annotated[Optional[int], Field(alias="processing_time_ms")]]
    provider: NotRequired[Annotated[str, Field(alias="provider")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    temperature: NotRequired[Annotated[Optional[float], Field(alias="temperature")]]
    tokens_used: NotRequired[Annotated[Optional[int], Field(alias="tokens_used")]]
    tone: NotRequired[Annotated[Optional[str], Field(alias="tone")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]
    user_input: NotRequired[Annotated[str, Field(alias="user_input")]]
    vibe_coding: NotRequired[Annotated[bool, Field(alias="vibe_coding")]]


class PublicPromptTemplates(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    description: Optional[str] = Field(alias="description")
    framework_id: str = Field(alias="framework_id")
    id: uuid.UUID = Field(alias="id")
    is_active: bool = Field(alias="is_active")
    is_public: bool = Field(alias="is_public")
    name: str = Field(alias="name")
    template_content: str = Field(alias="template_content")
    updated_at: datetime.datetime = Field(alias="updated_at")
    usage_count: int = Field(alias="usage_count")
    user_id: Optional[uuid.UUID] = Field(alias="user_id")
    variables: Optional[JsonValue] = Field(alias="variables")


class PublicPromptTemplatesInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[Optional[str], Field(alias="description")]]
    framework_id: Annotated[str, Field(alias="framework_id")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    is_public: NotRequired[Annotated[bool, Field(alias="is_public")]]
    name: Annotated[str, Field(alias="name")]
    template_content: Annotated[str, Field(alias="template_content")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    usage_count: NotRequired[Annotated[int, Field(alias="usage_count")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]
    variables: NotRequired[Annotated[Optional[JsonValue], Field(alias="variables")]]


class PublicPromptTemplatesUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[Optional[str], Field(alias="description")]]
    framework_id: NotRequired[Annotated[str, Field(alias="framework_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    is_public: NotRequired[Annotated[bool, Field(alias="is_public")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    template_content: NotRequired[Annotated[str, Field(alias="template_content")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    usage_count: NotRequired[Annotated[int, Field(alias="usage_count")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]
    variables: NotRequired[Annotated[Optional[JsonValue], Field(alias="variables")]]


class PublicSecurityEvents(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    details: Optional[JsonValue] = Field(alias="details")
    event_type: str = Field(alias="event_type")
    id: uuid.UUID = Field(alias="id")
    ip_address: Optional[PgCatalogInet] = Field(alias="ip_address")
    log_line: Optional[str] = Field(alias="log_line")
    severity: str = Field(alias="severity")
    user_agent: Optional[str] = Field(alias="user_agent")
    user_id: Optional[uuid.UUID] = Field(alias="user_id")


class PublicSecurityEventsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    details: NotRequired[Annotated[Optional[JsonValue], Field(alias="details")]]
    event_type: Annotated[str, Field(alias="event_type")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    ip_address: NotRequired[Annotated[Optional[PgCatalogInet], Field(alias="ip_address")]]
    log_line: NotRequired[Annotated[Optional[str], Field(alias="log_line")]]
    severity: NotRequired[Annotated[str, Field(alias="severity")]]
    user_agent: NotRequired[Annotated[Optional[str], Field(alias="user_agent")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]


class PublicSecurityEventsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    details: NotRequired[Annotated[Optional[JsonValue], Field(alias="details")]]
    event_type: NotRequired[Annotated[str, Field(alias="event_type")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    ip_address: NotRequired[Annotated[Optional[PgCatalogInet], Field(alias="ip_address")]]
    log_line: NotRequired[Annotated[Optional[str], Field(alias="log_line")]]
    severity: NotRequired[Annotated[str, Field(alias="severity")]]
    user_agent: NotRequired[Annotated[Optional[str], Field(alias="user_agent")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]


class PublicSystemConfig(BaseModel):
    allowed_values: Optional[JsonValue] = Field(alias="allowed_values")
    category: str = Field(alias="category")
    created_at: datetime.datetime = Field(alias="created_at")
    description: str = Field(alias="description")
    id: uuid.UUID = Field(alias="id")
    is_public: bool = Field(alias="is_public")
    key: str = Field(alias="key")
    max_value: Optional[float] = Field(alias="max_value")
    min_value: Optional[float] = Field(alias="min_value")
    updated_at: datetime.datetime = Field(alias="updated_at")
    value: JsonValue = Field(alias="value")
    value_type: str = Field(alias="value_type")


class PublicSystemConfigInsert(TypedDict):
    allowed_values: NotRequired[Annotated[Optional[JsonValue], Field(alias="allowed_values")]]
    category: Annotated[str, Field(alias="category")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: Annotated[str, Field(alias="description")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_public: NotRequired[Annotated[bool, Field(alias="is_public")]]
    key: Annotated[str, Field(alias="key")]
    max_value: NotRequired[Annotated[Optional[float], Field(alias="max_value")]]
    min_value: NotRequired[Annotated[Optional[float], Field(alias="min_value")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    value: Annotated[JsonValue, Field(alias="value")]
    value_type: Annotated[str, Field(alias="value_type")]


class PublicSystemConfigUpdate(TypedDict):
    allowed_values: NotRequired[Annotated[Optional[JsonValue], Field(alias="allowed_values")]]
    category: NotRequired[Annotated[str, Field(alias="category")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[str, Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_public: NotRequired[Annotated[bool, Field(alias="is_public")]]
    key: NotRequired[Annotated[str, Field(alias="key")]]
    max_value: NotRequired[Annotated[Optional[float], Field(alias="max_value")]]
    min_value: NotRequired[Annotated[Optional[float], Field(alias="min_value")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    value: NotRequired[Annotated[JsonValue, Field(alias="value")]]
    value_type: NotRequired[Annotated[str, Field(alias="value_type")]]


class PublicUserPreferences(BaseModel):
    auto_cleanup: bool = Field(alias="auto_cleanup")
    created_at: datetime.datetime = Field(alias="created_at")
    enable_analytics: bool = Field(alias="enable_analytics")
    enable_feedback: bool = Field(alias="enable_feedback")
    enable_history: bool = Field(alias="enable_history")
    enable_notifications: bool = Field(alias="enable_notifications")
    id: uuid.UUID = Field(alias="id")
    language: str = Field(alias="language")
    max_history_days: int = Field(alias="max_history_days")
    monthly_budget_usd: Optional[float] = Field(alias="monthly_budget_usd")
    selected_framework: str = Field(alias="selected_framework")
    selected_model: str = Field(alias="selected_model")
    theme: str = Field(alias="theme")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: uuid.UUID = Field(alias="user_id")
    vibe_coding: bool = Field(alias="vibe_coding")


class PublicUserPreferencesInsert(TypedDict):
    auto_cleanup: NotRequired[Annotated[bool, Field(alias="auto_cleanup")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    enable_analytics: NotRequired[Annotated[bool, Field(alias="enable_analytics")]]
    enable_feedback: NotRequired[Annotated[bool, Field(alias="enable_feedback")]]
    enable_history: NotRequired[Annotated[bool, Field(alias="enable_history")]]
    enable_notifications: NotRequired[Annotated[bool, Field(alias="enable_notifications")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    language: NotRequired[Annotated[str, Field(alias="language")]]
    max_history_days: NotRequired[Annotated[int, Field(alias="max_history_days")]]
    monthly_budget_usd: NotRequired[Annotated[Optional[float], Field(alias="monthly_budget_usd")]]
    selected_framework: NotRequired[Annotated[str, Field(alias="selected_framework")]]
    selected_model: Annotated[str, Field(alias="selected_model")]
    theme: NotRequired[Annotated[str, Field(alias="theme")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]
    vibe_coding: NotRequired[Annotated[bool, Field(alias="vibe_coding")]]


class PublicUserPreferencesUpdate(TypedDict):
    auto_cleanup: NotRequired[Annotated[bool, Field(alias="auto_cleanup")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    enable_analytics: NotRequired[Annotated[bool, Field(alias="enable_analytics")]]
    enable_feedback: NotRequired[Annotated[bool, Field(alias="enable_feedback")]]
    enable_history: NotRequired[Annotated[bool, Field(alias="enable_history")]]
    enable_notifications: NotRequired[Annotated[bool, Field(alias="enable_notifications")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    language: NotRequired[Annotated[str, Field(alias="language")]]
    max_history_days: NotRequired[Annotated[int, Field(alias="max_history_days")]]
    monthly_budget_usd: NotRequired[Annotated[Optional[float], Field(alias="monthly_budget_usd")]]
    selected_framework: NotRequired[Annotated[str, Field(alias="selected_framework")]]
    selected_model: NotRequired[Annotated[str, Field(alias="selected_model")]]
    theme: NotRequired[Annotated[str, Field(alias="theme")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]
    vibe_coding: NotRequired[Annotated[bool, Field(alias="vibe_coding")]]


class PublicUserProfiles(BaseModel):
    avatar_url: Optional[str] = Field(alias="avatar_url")
    bio: Optional[str] = Field(alias="bio")
    created_at: datetime.datetime = Field(alias="created_at")
    display_name: Optional[str] = Field(alias="display_name")
    id: uuid.UUID = Field(alias="id")
    is_active: bool = Field(alias="is_active")
    last_login_at: Optional[datetime.datetime] = Field(alias="last_login_at")
    preferences: Optional[JsonValue] = Field(alias="preferences")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicUserProfilesInsert(TypedDict):
    avatar_url: NotRequired[Annotated[Optional[str], Field(alias="avatar_url")]]
    bio: NotRequired[Annotated[Optional[str], Field(alias="bio")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    display_name: NotRequired[Annotated[Optional[str], Field(alias="display_name")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    last_login_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="last_login_at")]]
    preferences: NotRequired[Annotated[Optional[JsonValue], Field(alias="preferences")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicUserProfilesUpdate(TypedDict):
    avatar_url: NotRequired[Annotated[Optional[str], Field(alias="avatar_url")]]
    bio: NotRequired[Annotated[Optional[str], Field(alias="bio")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    display_name: NotRequired[Annotated[Optional[str], Field(alias="display_name")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    last_login_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="last_login_at")]]
    preferences: NotRequired[Annotated[Optional[JsonValue], Field(alias="preferences")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicUserSessions(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    ip_address: Optional[PgCatalogInet] = Field(alias="ip_address")
    signed_in_at: datetime.datetime = Field(alias="signed_in_at")
    user_agent: Optional[str] = Field(alias="user_agent")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicUserSessionsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    ip_address: NotRequired[Annotated[Optional[PgCatalogInet], Field(alias="ip_address")]]
    signed_in_at: NotRequired[Annotated[datetime.datetime, Field(alias="signed_in_at")]]
    user_agent: NotRequired[Annotated[Optional[str], Field(alias="user_agent")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicUserSessionsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    ip_address: NotRequired[Annotated[Optional[PgCatalogInet], Field(alias="ip_address")]]
    signed_in_at: NotRequired[Annotated[datetime.datetime, Field(alias="signed_in_at")]]
    user_agent: NotRequired[Annotated[Optional[str], Field(alias="user_agent")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicRateLimitVerdict(BaseModel):
    allowed: Optional[bool] = Field(alias="allowed")
    limit_scope: Optional[str] = Field(alias="limit_scope")
    remaining_minute: Optional[int] = Field(alias="remaining_minute")
    remaining_day: Optional[int] = Field(alias="remaining_day")
    retry_after_seconds: Optional[int] = Field(alias="retry_after_seconds")
