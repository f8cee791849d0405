#pragma once

#include "workload/model/config.h"

// Mistral-7B as tests of folders that read no data know it, without its window.
inline ridge::ModelConfig mistral_7b() {
  return {.name = "mistral-7b",
          .model_type = ridge::ModelConfig::Type::mistral,
          .num_hidden_layers = 32,
          .hidden_size = 4096,
          .num_attention_heads = 32,
          .num_key_value_heads = 8,
          .head_dim = 128,
          .intermediate_size = 14336,
          .vocab_size = 32000,
          .max_position_embeddings = 32768};
}
