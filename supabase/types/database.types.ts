export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  public: {
    Tables: {
      api_configurations: {
        Row: {
          api_key_encrypted: string;
          created_at: string;
          id: string;
          is_active: boolean;
          is_validated: boolean;
          last_used_at: string | null;
          last_validated_at: string | null;
          provider: string;
          updated_at: string;
          usage_count: number;
          user_id: string;
          validation_error: string | null;
        };
        ComputedFields: never;
        Insert: {
          api_key_encrypted: string;
          created_at?: string;
          id?: string;
          is_active?: boolean;
          is_validated?: boolean;
          last_used_at?: string | null;
          last_validated_at?: string | null;
          provider: string;
          updated_at?: string;
          usage_count?: number;
          user_id: string;
          validation_error?: string | null;
        };
        Update: {
          api_key_encrypted?: string;
          created_at?: string;
          id?: string;
          is_active?: boolean;
          is_validated?: boolean;
          last_used_at?: string | null;
          last_validated_at?: string | null;
          provider?: string;
          updated_at?: string;
          usage_count?: number;
          user_id?: string;
          validation_error?: string | null;
        };
        Relationships: [];
      };
      api_providers: {
        Row: {
          api_key_pattern: string | null;
          base_url: string;
          created_at: string;
          display_name: string;
          id: string;
          is_enabled: boolean;
          max_requests_per_day: number;
          max_requests_per_minute: number;
          name: string;
          supported_models: Json | null;
          updated_at: string;
          validation_rules: Json | null;
        };
        ComputedFields: never;
        Insert: {
          api_key_pattern?: string | null;
          base_url: string;
          created_at?: string;
          display_name: string;
          id?: string;
          is_enabled?: boolean;
          max_requests_per_day?: number;
          max_requests_per_minute?: number;
          name: string;
          supported_models?: Json | null;
          updated_at?: string;
          validation_rules?: Json | null;
        };
        Update: {
          api_key_pattern?: string | null;
          base_url?: string;
          created_at?: string;
          display_name?: string;
          id?: string;
          is_enabled?: boolean;
          max_requests_per_day?: number;
          max_requests_per_minute?: number;
          name?: string;
          supported_models?: Json | null;
          updated_at?: string;
          validation_rules?: Json | null;
        };
        Relationships: [];
      };
      api_usage_logs: {
        Row: {
          created_at: string;
          endpoint: string | null;
          error_message: string | null;
          id: string;
          provider: string;
          request_size: number | null;
          response_size: number | null;
          response_time_ms: number | null;
          status_code: number | null;
          user_id: string;
        };
        ComputedFields: never;
        Insert: {
          created_at?: string;
          endpoint?: string | null;
          error_message?: string | null;
          id?: string;
          provider: string;
          request_size?: number | null;
          response_size?: number | null;
          response_time_ms?: number | null;
          status_code?: number | null;
          user_id: string;
        };
        Update: {
          created_at?: string;
          endpoint?: string | null;
          error_message?: string | null;
          id?: string;
          provider?: string;
          request_size?: number | null;
          response_size?: number | null;
          response_time_ms?: number | null;
          status_code?: number | null;
          user_id?: string;
        };
        Relationships: [];
      };
      audit_log: {
        Row: {
          action: string;
          actor_id: string | null;
          actor_role: string;
          changes: Json | null;
          created_at: string;
          id: string;
          ip_address: unknown;
          request_id: string | null;
          row_id: string | null;
          subject_id: string | null;
          table_name: string;
          user_agent: string | null;
        };
        ComputedFields: never;
        Insert: {
          action: string;
          actor_id?: string | null;
          actor_role: string;
          changes?: Json | null;
          created_at?: string;
          id?: string;
          ip_address?: unknown;
          request_id?: string | null;
          row_id?: string | null;
          subject_id?: string | null;
          table_name: string;
          user_agent?: string | null;
        };
        Update: {
          action?: string;
          actor_id?: string | null;
          actor_role?: string;
          changes?: Json | null;
          created_at?: string;
          id?: string;
          ip_address?: unknown;
          request_id?: string | null;
          row_id?: string | null;
          subject_id?: string | null;
          table_name?: string;
          user_agent?: string | null;
        };
        Relationships: [];
      };
      feedback: {
        Row: {
          admin_response: string | null;
          admin_user_id: string | null;
          browser_info: Json | null;
          category_id: string | null;
          contact_email: string | null;
          contact_name: string | null;
          created_at: string;
          device_info: Json | null;
          feedback_type: string;
          id: string;
          message: string;
          priority: string;
          rating: number | null;
          responded_at: string | null;
          status: string;
          updated_at: string;
          user_agent: string | null;
          user_id: string | null;
        };
        ComputedFields: never;
        Insert: {
          admin_response?: string | null;
          admin_user_id?: string | null;
          browser_info?: Json | null;
          category_id?: string | null;
          contact_email?: string | null;
          contact_name?: string | null;
          created_at?: string;
          device_info?: Json | null;
          feedback_type?: string;
          id?: string;
          message: string;
          priority?: string;
          rating?: number | null;
          responded_at?: string | null;
          status?: string;
          updated_at?: string;
          user_agent?: string | null;
          user_id?: string | null;
        };
        Update: {
          admin_response?: string | null;
          admin_user_id?: string | null;
          browser_info?: Json | null;
          category_id?: string | null;
          contact_email?: string | null;
          contact_name?: string | null;
          created_at?: string;
          device_info?: Json | null;
          feedback_type?: string;
          id?: string;
          message?: string;
          priority?: string;
          rating?: number | null;
          responded_at?: string | null;
          status?: string;
          updated_at?: string;
          user_agent?: string | null;
          user_id?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "feedback_category_id_fkey";
            columns: ["category_id"];
            isOneToOne: false;
            referencedRelation: "feedback_categories";
            referencedColumns: ["id"];
          },
        ];
      };
      feedback_analytics: {
        Row: {
          avg_rating: number | null;
          avg_response_time_hours: number | null;
          created_at: string;
          date: string;
          feedback_by_priority: Json | null;
          feedback_by_type: Json | null;
          id: string;
          resolved_feedback: number;
          total_feedback: number;
          updated_at: string;
        };
        ComputedFields: never;
        Insert: {
          avg_rating?: number | null;
          avg_response_time_hours?: number | null;
          created_at?: string;
          date: string;
          feedback_by_priority?: Json | null;
          feedback_by_type?: Json | null;
          id?: string;
          resolved_feedback?: number;
          total_feedback?: number;
          updated_at?: string;
        };
        Update: {
          avg_rating?: number | null;
          avg_response_time_hours?: number | null;
          created_at?: string;
          date?: string;
          feedback_by_priority?: Json | null;
          feedback_by_type?: Json | null;
          id?: string;
          resolved_feedback?: number;
          total_feedback?: number;
          updated_at?: string;
        };
        Relationships: [];
      };
      feedback_categories: {
        Row: {
          created_at: string;
          description: string | null;
          id: string;
          is_active: boolean;
          name: string;
          parent_id: string | null;
          sort_order: number;
          updated_at: string;
        };
        ComputedFields: never;
        Insert: {
          created_at?: string;
          description?: string | null;
          id?: string;
          is_active?: boolean;
          name: string;
          parent_id?: string | null;
          sort_order?: number;
          updated_at?: string;
        };
        Update: {
          created_at?: string;
          description?: string | null;
          id?: string;
          is_active?: boolean;
          name?: string;
          parent_id?: string | null;
          sort_order?: number;
          updated_at?: string;
        };
        Relationships: [
          {
            foreignKeyName: "feedback_categories_parent_id_fkey";
            columns: ["parent_id"];
            isOneToOne: false;
            referencedRelation: "feedback_categories";
            referencedColumns: ["id"];
          },
        ];
      };
      feedback_tag_assignments: {
        Row: {
          created_at: string;
          feedback_id: string;
          id: string;
          tag_id: string;
        };
        ComputedFields: never;
        Insert: {
          created_at?: string;
          feedback_id: string;
          id?: string;
          tag_id: string;
        };
        Update: {
          created_at?: string;
          feedback_id?: string;
          id?: string;
          tag_id?: string;
        };
        Relationships: [
          {
            foreignKeyName: "feedback_tag_assignments_feedback_id_fkey";
            columns: ["feedback_id"];
            isOneToOne: false;
            referencedRelation: "feedback";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "feedback_tag_assignments_tag_id_fkey";
            columns: ["tag_id"];
            isOneToOne: false;
            referencedRelation: "feedback_tags";
            referencedColumns: ["id"];
          },
        ];
      };
      feedback_tags: {
        Row: {
          color: string;
          created_at: string;
          description: string | null;
          id: string;
          is_active: boolean;
          name: string;
          updated_at: string;
        };
        ComputedFields: never;
        Insert: {
          color?: string;
          created_at?: string;
          description?: string | null;
          id?: string;
          is_active?: boolean;
          name: string;
          updated_at?: string;
        };
        Update: {
          color?: string;
          created_at?: string;
          description?: string | null;
          id?: string;
          is_active?: boolean;
          name?: string;
          updated_at?: string;
        };
        Relationships: [];
      };
      prompt_frameworks: {
        Row: {
          components: NonNullable<Json>;
          created_at: string;
          description: string;
          display_name: string;
          examples: Json | null;
          id: string;
          is_enabled: boolean;
          name: string;
          sort_order: number;
          template: string;
          updated_at: string;
        };
        ComputedFields: never;
        Insert: {
          components: NonNullable<Json>;
          created_at?: string;
          description: string;
          display_name: string;
          examples?: Json | null;
          id?: string;
          is_enabled?: boolean;
          name: string;
          sort_order?: number;
          template: string;
          updated_at?: string;
        };
        Update: {
          components?: NonNullable<Json>;
          created_at?: string;
          description?: string;
          display_name?: string;
          examples?: Json | null;
          id?: string;
          is_enabled?: boolean;
          name?: string;
          sort_order?: number;
          template?: string;
          updated_at?: string;
        };
        Relationships: [];
      };
      prompt_history: {
        Row: {
          ai_response: string | null;
          cost_usd: number | null;
          created_at: string;
          error_code: string | null;
          error_message: string | null;
          framework_id: string;
          framework_name: string;
          id: string;
          length: string | null;
          max_tokens: number | null;
          model: string;
          processing_time_ms: number | null;
          provider: string;
          status: string;
          temperature: number | null;
          tokens_used: number | null;
          tone: string | null;
          updated_at: string;
          user_id: string;
          user_input: string;
          vibe_coding: boolean;
        };
        ComputedFields: never;
        Insert: {
          ai_response?: string | null;
          cost_usd?: number | null;
          created_at?: string;
          error_code?: string | null;
          error_message?: string | null;
          framework_id: string;
          framework_name: string;
          id?: string;
          length?: string | null;
          max_tokens?: number | null;
          model: string;
          processing_time_ms?: number | null;
          provider: string;
          status?: string;
          temperature?: number | null;
          tokens_used?: number | null;
          tone?: string | null;
          updated_at?: string;
          user_id: string;
          user_input: string;
          vibe_coding?: boolean;
        };
        Update: {
          ai_response?: string | null;
          cost_usd?: number | null;
          created_at?: string;
          error_code?: string | null;
          error_message?: string | null;
          framework_id?: string;
          framework_name?: string;
          id?: string;
          length?: string | null;
          max_tokens?: number | null;
          model?: string;
          processing_time_ms?: number | null;
          provider?: string;
          status?: string;
          temperature?: number | null;
          tokens_used?: number | null;
          tone?: string | null;
          updated_at?: string;
          user_id?: string;
          user_input?: string;
          vibe_coding?: boolean;
        };
        Relationships: [];
      };
      prompt_templates: {
        Row: {
          created_at: string;
          description: string | null;
          framework_id: string;
          id: string;
          is_active: boolean;
          is_public: boolean;
          name: string;
          template_content: string;
          updated_at: string;
          usage_count: number;
          user_id: string | null;
          variables: Json | null;
        };
        ComputedFields: never;
        Insert: {
          created_at?: string;
          description?: string | null;
          framework_id: string;
          id?: string;
          is_active?: boolean;
          is_public?: boolean;
          name: string;
          template_content: string;
          updated_at?: string;
          usage_count?: number;
          user_id?: string | null;
          variables?: Json | null;
        };
        Update: {
          created_at?: string;
          description?: string | null;
          framework_id?: string;
          id?: string;
          is_active?: boolean;
          is_public?: boolean;
          name?: string;
          template_content?: string;
          updated_at?: string;
          usage_count?: number;
          user_id?: string | null;
          variables?: Json | null;
        };
        Relationships: [];
      };
      security_events: {
        Row: {
          created_at: string;
          details: Json | null;
          event_type: string;
          id: string;
          ip_address: unknown;
          log_line: string | null;
          severity: string;
          user_agent: string | null;
          user_id: string | null;
        };
        ComputedFields: never;
        Insert: {
          created_at?: string;
          details?: Json | null;
          event_type: string;
          id?: string;
          ip_address?: unknown;
          log_line?: string | null;
          severity?: string;
          user_agent?: string | null;
          user_id?: string | null;
        };
        Update: {
          created_at?: string;
          details?: Json | null;
          event_type?: string;
          id?: string;
          ip_address?: unknown;
          log_line?: string | null;
          severity?: string;
          user_agent?: string | null;
          user_id?: string | null;
        };
        Relationships: [];
      };
      system_config: {
        Row: {
          allowed_values: Json | null;
          category: string;
          created_at: string;
          description: string;
          id: string;
          is_public: boolean;
          key: string;
          max_value: number | null;
          min_value: number | null;
          updated_at: string;
          value: NonNullable<Json>;
          value_type: string;
        };
        ComputedFields: never;
        Insert: {
          allowed_values?: Json | null;
          category: string;
          created_at?: string;
          description: string;
          id?: string;
          is_public?: boolean;
          key: string;
          max_value?: number | null;
          min_value?: number | null;
          updated_at?: string;
          value: NonNullable<Json>;
          value_type: string;
        };
        Update: {
          allowed_values?: Json | null;
          category?: string;
          created_at?: string;
          description?: string;
          id?: string;
          is_public?: boolean;
          key?: string;
          max_value?: number | null;
          min_value?: number | null;
          updated_at?: string;
          value?: NonNullable<Json>;
          value_type?: string;
        };
        Relationships: [];
      };
      user_preferences: {
        Row: {
          auto_cleanup: boolean;
          created_at: string;
          enable_analytics: boolean;
          enable_feedback: boolean;
          enable_history: boolean;
          enable_notifications: boolean;
          id: string;
          language: string;
          max_history_days: number;
          monthly_budget_usd: number | null;
          selected_framework: string;
          selected_model: string;
          theme: string;
          updated_at: string;
          user_id: string;
          vibe_coding: boolean;
        };
        ComputedFields: never;
        Insert: {
          auto_cleanup?: boolean;
          created_at?: string;
          enable_analytics?: boolean;
          enable_feedback?: boolean;
          enable_history?: boolean;
          enable_notifications?: boolean;
          id?: string;
          language?: string;
          max_history_days?: number;
          monthly_budget_usd?: number | null;
          selected_framework?: string;
          selected_model: string;
          theme?: string;
          updated_at?: string;
          user_id: string;
          vibe_coding?: boolean;
        };
        Update: {
          auto_cleanup?: boolean;
          created_at?: string;
          enable_analytics?: boolean;
          enable_feedback?: boolean;
          enable_history?: boolean;
          enable_notifications?: boolean;
          id?: string;
          language?: string;
          max_history_days?: number;
          monthly_budget_usd?: number | null;
          selected_framework?: string;
          selected_model?: string;
          theme?: string;
          updated_at?: string;
          user_id?: string;
          vibe_coding?: boolean;
        };
        Relationships: [];
      };
      user_profiles: {
        Row: {
          avatar_url: string | null;
          bio: string | null;
          created_at: string;
          display_name: string | null;
          id: string;
          is_active: boolean;
          last_login_at: string | null;
          preferences: Json | null;
          updated_at: string;
          user_id: string;
        };
        ComputedFields: never;
        Insert: {
          avatar_url?: string | null;
          bio?: string | null;
          created_at?: string;
          display_name?: string | null;
          id?: string;
          is_active?: boolean;
          last_login_at?: string | null;
          preferences?: Json | null;
          updated_at?: string;
          user_id: string;
        };
        Update: {
          avatar_url?: string | null;
          bio?: string | null;
          created_at?: string;
          display_name?: string | null;
          id?: string;
          is_active?: boolean;
          last_login_at?: string | null;
          preferences?: Json | null;
          updated_at?: string;
          user_id?: string;
        };
        Relationships: [];
      };
      user_sessions: {
        Row: {
          created_at: string;
          id: string;
          ip_address: unknown;
          signed_in_at: string;
          user_agent: string | null;
          user_id: string;
        };
        ComputedFields: never;
        Insert: {
          created_at?: string;
          id?: string;
          ip_address?: unknown;
          signed_in_at?: string;
          user_agent?: string | null;
          user_id: string;
        };
        Update: {
          created_at?: string;
          id?: string;
          ip_address?: unknown;
          signed_in_at?: string;
          user_agent?: string | null;
          user_id?: string;
        };
        Relationships: [];
      };
    };
    Views: {
      [_ in never]: never;
    };
    Functions: {
      analyze_all_tables: { Args: Record<PropertyKey, never>; Returns: Json };
      check_rate_limit: {
        Args: { provider: string };
        Returns: Database["public"]["CompositeTypes"]["rate_limit_verdict"];
        SetofOptions: {
          from: "*";
          to: "rate_limit_verdict";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      cleanup_old_prompt_history: { Args: Record<PropertyKey, never>; Returns: number };
      daily_maintenance: { Args: { time_budget_seconds?: number }; Returns: Json };
      decrypt_api_key: { Args: { provider: string; user_id: string }; Returns: string };
      detect_suspicious_activity: {
        Args: Record<PropertyKey, never>;
        Returns: {
          details: Json;
          event_type: string;
          ip_address: unknown;
          severity: string;
          since: string;
          user_id: string;
        }[];
      };
      estimate_cost: {
        Args: { completion_tokens: number; model: string; prompt_tokens: number; provider: string };
        Returns: number;
      };
      export_my_data: { Args: Record<PropertyKey, never>; Returns: Json };
      generate_daily_feedback_analytics: {
        Args: { day: string };
        Returns: {
          avg_rating: number | null;
          avg_response_time_hours: number | null;
          created_at: string;
          date: string;
          feedback_by_priority: Json | null;
          feedback_by_type: Json | null;
          id: string;
          resolved_feedback: number;
          total_feedback: number;
          updated_at: string;
        };
        SetofOptions: {
          from: "*";
          to: "feedback_analytics";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      get_api_analytics: { Args: { days?: number }; Returns: Json };
      get_connection_stats: {
        Args: Record<PropertyKey, never>;
        Returns: {
          connections: number;
          longest_transaction_seconds: number;
          percent_of_limit: number;
          role_name: string;
          state: string;
          waiting_for_locks: number;
        }[];
      };
      get_database_stats: {
        Args: Record<PropertyKey, never>;
        Returns: {
          dead_rows: number;
          heap_bytes: number;
          index_bytes: number;
          index_scans: number;
          last_analyze: string;
          last_vacuum: string;
          row_estimate: number;
          rows_deleted: number;
          rows_inserted: number;
          rows_updated: number;
          sequential_scans: number;
          table_name: string;
          total_bytes: number;
        }[];
      };
      get_feedback_analytics: { Args: { days?: number }; Returns: Json };
      get_index_advice: {
        Args: Record<PropertyKey, never>;
        Returns: {
          advice: string;
          command: string;
          reason: string;
          subject: string;
          table_name: string;
        }[];
      };
      get_index_usage: {
        Args: Record<PropertyKey, never>;
        Returns: {
          bytes: number;
          counted_since: string;
          index_name: string;
          is_unique: boolean;
          is_valid: boolean;
          last_scan: string;
          scans: number;
          table_name: string;
        }[];
      };
      get_prompt_analytics: { Args: { days?: number }; Returns: Json };
      get_prompt_stats: { Args: { days?: number }; Returns: Json };
      get_public_config: { Args: Record<PropertyKey, never>; Returns: Json };
      get_slow_queries: {
        Args: { max_rows?: number };
        Returns: {
          cache_hit_percent: number;
          calls: number;
          max_ms: number;
          mean_ms: number;
          query: string;
          role_name: string;
          rows_per_call: number;
          total_seconds: number;
        }[];
      };
      get_storage_growth: {
        Args: { days?: number };
        Returns: {
          bytes_per_day: number;
          growth_bytes: number;
          growth_percent: number;
          heap_bytes: number;
          index_bytes: number;
          measured_since: string;
          row_estimate: number;
          table_name: string;
          total_bytes: number;
        }[];
      };
      get_usage_summary: { Args: { days?: number }; Returns: Json };
      get_user_activity: { Args: { days?: number }; Returns: Json };
      health_check: { Args: Record<PropertyKey, never>; Returns: Json };
      integrity_check: { Args: Record<PropertyKey, never>; Returns: Json };
      is_admin: { Args: Record<PropertyKey, never>; Returns: boolean };
      is_feature_enabled: { Args: { flag: string }; Returns: boolean };
      log_api_usage: {
        Args: {
          endpoint?: string;
          error_message?: string;
          provider: string;
          request_id?: string;
          request_size?: number;
          response_size?: number;
          response_time_ms?: number;
          status_code?: number;
        };
        Returns: string;
      };
      log_security_event: {
        Args: {
          details?: Json;
          event_type: string;
          ip_address?: unknown;
          severity?: string;
          user_agent?: string;
          user_id?: string;
        };
        Returns: string;
      };
      record_api_key_validation: {
        Args: { error_message?: string; is_valid: boolean; provider: string; user_id: string };
        Returns: undefined;
      };
      render_prompt_framework: { Args: { framework: string; variables?: Json }; Returns: string };
      render_prompt_template: { Args: { template_id: string; variables?: Json }; Returns: string };
      respond_to_feedback: {
        Args: { feedback_id: string; new_status?: string; response: string };
        Returns: {
          admin_response: string | null;
          admin_user_id: string | null;
          browser_info: Json | null;
          category_id: string | null;
          contact_email: string | null;
          contact_name: string | null;
          created_at: string;
          device_info: Json | null;
          feedback_type: string;
          id: string;
          message: string;
          priority: string;
          rating: number | null;
          responded_at: string | null;
          status: string;
          updated_at: string;
          user_agent: string | null;
          user_id: string | null;
        };
        SetofOptions: {
          from: "*";
          to: "feedback";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      reveal_api_key: { Args: { provider: string }; Returns: string };
      rotate_api_keys: {
        Args: { after_id?: string; batch_size?: number };
        Returns: {
          last_id: string;
          resealed: number;
          unreadable: number;
        }[];
      };
      save_api_key: { Args: { api_key: string; provider: string }; Returns: string };
      schedule_maintenance: { Args: Record<PropertyKey, never>; Returns: string };
      search_prompt_history: {
        Args: { before_created_at?: string; before_id?: string; page_size?: number; query: string };
        Returns: {
          ai_response_highlight: string;
          created_at: string;
          framework_name: string;
          id: string;
          model: string;
          rank: number;
          status: string;
          user_input_highlight: string;
        }[];
      };
      security_audit: { Args: Record<PropertyKey, never>; Returns: Json };
      unpublish_prompt_template: { Args: { template_id: string }; Returns: boolean };
      vacuum_all_tables: { Args: Record<PropertyKey, never>; Returns: Json };
    };
    Enums: {
      [_ in never]: never;
    };
    CompositeTypes: {
      rate_limit_verdict: {
        allowed: boolean | null;
        limit_scope: string | null;
        remaining_minute: number | null;
        remaining_day: number | null;
        retry_after_seconds: number | null;
      };
    };
  };
};

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    keyof (DefaultSchema["Tables"] & DefaultSchema["Views"]) | { schema: keyof DatabaseWithoutInternals },
  TableName extends (DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never) = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R;
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
        Row: infer R;
      }
      ? R
      : never
    : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"] | { schema: keyof DatabaseWithoutInternals },
  TableName extends (DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never) = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I;
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
        Insert: infer I;
      }
      ? I
      : never
    : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"] | { schema: keyof DatabaseWithoutInternals },
  TableName extends (DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never) = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U;
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
        Update: infer U;
      }
      ? U
      : never
    : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"] | { schema: keyof DatabaseWithoutInternals },
  EnumName extends (DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never) = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
    : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    keyof DefaultSchema["CompositeTypes"] | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends (PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never) = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
    : never;

export const Constants = {
  public: {
    Enums: {},
  },
} as const;
