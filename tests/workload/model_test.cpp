// Models: published counts, storage types as llama.cpp's quantiser chooses them, and the ways in
// which a model is found: names, config.json of Hugging Face, GGUF.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "file_bytes.h"
#include "paths.h"
#include "workload/files/gguf_write.h"
#include "workload/model/find.h"
#include "workload/model/gguf_metadata.h"
#include "workload/model/huggingface.h"
#include "workload/model/use.h"
#include "workload/model/weights.h"

namespace {

using namespace ridge;
using file_bytes::Folder;

ModelConfig known(const std::string& name) { return find_model(name, paths::data()).value().model; }

// Published, or computed elsewhere from the same configurations: docs/models.md names the sources.
TEST(Models, HaveThePublishedParametersAndCaches) {
  struct Published {
    const char* name;
    int64_t parameters, active, kv_f16;
  };
  constexpr Published all[] = {{"mistral-7b", 7'241'732'096, 7'241'732'096, 131'072},
                               {"mixtral-8x7b", 46'702'792'704, 12'879'925'248, 131'072},
                               {"qwen3-0.6b", 596'049'920, 596'049'920, 114'688},
                               {"deepseek-moe-16b", 16'375'728'128, 2'828'650'496, 229'376},
                               {"stories110m", 109'529'856, 109'529'856, 36'864}};
  for (const Published& p : all) {
    const ModelConfig model = known(p.name);
    const Parameters count = parameters(model);
    EXPECT_EQ(count.all, p.parameters) << p.name;
    EXPECT_EQ(count.active, p.active) << p.name;
    EXPECT_EQ(kv_bytes_per_token(model, KvFormat::f16), p.kv_f16) << p.name;
    EXPECT_EQ(kv_bytes_per_token(model, KvFormat::f32), 2 * p.kv_f16) << p.name;
    EXPECT_EQ(kv_bytes_per_token(model, KvFormat::q8_0), p.kv_f16 / 64 * 34) << p.name;
  }
  EXPECT_EQ(parameters(known("qwen3-0.6b")).all - parameters(known("qwen3-0.6b")).embedding,
            440'467'456);
}

TEST(Models, InDataAreValidAndNamedAsTheirFiles) {
  const auto names = model_names(paths::data());
  EXPECT_GE(names.size(), 9u);
  for (const std::string& name : names) {
    const auto found = find_model(name, paths::data());
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->model.name, name);
    EXPECT_EQ(found->file, std::nullopt);
    for (const ModelFormat format : every_choice<ModelFormat>()) {
      EXPECT_TRUE(storable(found->model, format)) << name;
      EXPECT_TRUE(gguf_metadata(found->model, format)) << name;
      for (const WeightTensor& t : weights(found->model, format)) {
        EXPECT_TRUE(can_generate(t.format)) << t.name;
        EXPECT_EQ(t.row() % block_elements(t.format), 0) << t.name;
      }
    }
  }
}

// Bytes of all tensors as llama-quantize --dry-run counts them (docs/models.md), of files that
// `ridge model` wrote in f16. Exact but for its two digits of a MiB.
TEST(Models, AreStoredAsTheQuantiserOfLlamaCppDoes) {
  std::ifstream file(paths::here() + "/data/quantised_models.json");
  std::stringstream text;
  text << file.rdbuf();
  const auto json = Json::parse(text.str());
  ASSERT_TRUE(json) << json.error().message;
  int count = 0;
  for (const Json& entry : json->as_array()) {
    const ModelConfig model = known(entry.find("model")->as_string());
    const auto format = parse_choice<ModelFormat>(entry.find("format")->as_string());
    std::map<std::string, int64_t> types;
    for (const WeightTensor& t : weights(model, *format)) ++types[std::string(name(t.format))];
    for (const auto& [type, number] : entry.find("tensors")->as_object()) {
      EXPECT_EQ(types[type], number.as_int()) << model.name << ' ' << name(*format) << ' ' << type;
    }
    EXPECT_EQ(types.size(), entry.find("tensors")->as_object().size());
    EXPECT_EQ(weight_bytes(model, *format).all(), entry.find("bytes")->as_int())
        << model.name << ' ' << name(*format);
    ++count;
  }
  EXPECT_EQ(count, 36);
}

TEST(Models, ComeBackFromTheGgufFilesThatAreWritten) {
  Folder folder;
  for (const char* name : {"tiny-llama", "tiny-qwen3", "tiny-moe", "tiny-deepseek"}) {
    const ModelConfig model = known(name);
    for (const ModelFormat format : every_choice<ModelFormat>()) {
      const std::string path = folder / "model.gguf";
      const auto written = write_model(path, model, format, 1, 1);
      ASSERT_TRUE(written) << written.error().message;
      const auto found = find_model(path, paths::data());
      ASSERT_TRUE(found) << found.error().message;
      EXPECT_EQ(to_json(found->model), to_json(model));
      ASSERT_TRUE(found->file);
      const WeightBytes bytes = weight_bytes(model, format);
      EXPECT_EQ(found->file->matrix_bytes, bytes.matrix);
      EXPECT_EQ(found->file->embedding_bytes, bytes.embedding);
      EXPECT_EQ(found->file->expert_bytes, bytes.expert);
      EXPECT_TRUE(found->beyond.empty());
      const ModelUse use{.model = model, .file = found->file};
      EXPECT_EQ(format_name(use),
                format == ModelFormat::q4_k_m ? "q4_k-medium" : ridge::name(format));
    }
  }
}

// Every element of a norm lies near 1; matrices have the variance 1/row; a tensor in pieces is the
// same tensor.
TEST(Models, HaveWeightsThatKeepWhatPassesAsLargeAsItWas) {
  for (const ModelFormat format : every_choice<ModelFormat>()) {
    for (const WeightTensor& t : weights(known("tiny-deepseek"), format)) {
      const int64_t blocks = t.elements() / block_elements(t.format);
      std::vector<std::byte> bytes(static_cast<size_t>(t.bytes())), pieces(bytes.size());
      std::vector<double> values(static_cast<size_t>(t.elements()));
      fill_weight(t, {.seed = 3, .salt = 4}, 0, blocks, bytes.data());
      const int64_t cut = blocks / 3;
      fill_weight(t, {.seed = 3}, 0, cut, pieces.data());
      fill_weight(t, {.seed = 3}, cut, blocks - cut, pieces.data() + cut * block_bytes(t.format));
      EXPECT_EQ(bytes, pieces) << t.name;  // the salt changes nothing
      ASSERT_TRUE(dequantise(t.format, bytes.data(), blocks, values.data()));
      double squares = 0;
      for (const double value : values) {
        if (t.role == WeightTensor::Role::norm) {
          ASSERT_LE(std::fabs(value - 1), kNormNoise) << t.name;
        }
        squares += value * value;
      }
      if (t.role == WeightTensor::Role::norm) continue;
      const double variance = squares / static_cast<double>(values.size());
      EXPECT_NEAR(variance * static_cast<double>(t.row()), 1, 0.15) << t.name << name(format);
    }
  }
}

std::string config(const std::string& members) {
  return R"({"architectures": ["X"], "num_hidden_layers": 2, "hidden_size": 64, "vocab_size": 100,
             "num_attention_heads": 4, "intermediate_size": 96, "max_position_embeddings": 512,
             "torch_dtype": "bfloat16", )" +
         members + "}";
}
Result<ModelConfig> of_config(const std::string& members) {
  return parse_huggingface(Json::parse(config(members)).value(), "My Model", "config.json");
}

TEST(Models, ComeFromConfigsOfHuggingFace) {
  const ModelConfig llama =
      of_config(
          R"("model_type": "llama", "rms_norm_eps": 1e-05, "rope_theta": 5e5, "hidden_act": "silu")")
          .value();
  EXPECT_EQ(llama.name, "my-model");
  EXPECT_EQ(llama.num_key_value_heads, 4);
  EXPECT_EQ(llama.head_dim, 16);
  EXPECT_EQ(llama.rope_theta, 5e5);
  EXPECT_FALSE(llama.tie_word_embeddings);
  EXPECT_FALSE(llama.is_moe());
  const ModelConfig qwen3 =
      of_config(R"("model_type": "qwen3", "head_dim": 32, "num_key_value_heads": 2,
                   "use_sliding_window": false, "sliding_window": 9, "tie_word_embeddings": true,
                   "rope_parameters": {"rope_theta": 1000000, "rope_type": "default"})")
          .value();
  EXPECT_EQ(qwen3.head_dim, 32);
  EXPECT_EQ(qwen3.sliding_window, std::nullopt);
  EXPECT_EQ(qwen3.rope_theta, 1e6);
  EXPECT_TRUE(qwen3.tie_word_embeddings && qwen3.qk_norm());
  const ModelConfig mixtral =
      of_config(R"("model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2,
                   "sliding_window": null)")
          .value();
  EXPECT_EQ(mixtral.num_experts, 4);
  EXPECT_TRUE(mixtral.norm_topk_prob);
  const ModelConfig deepseek =
      of_config(R"("model_type": "deepseek", "n_routed_experts": 8, "num_experts_per_tok": 3,
                   "n_shared_experts": 2, "moe_intermediate_size": 24, "moe_layer_freq": 1,
                   "first_k_dense_replace": 1, "norm_topk_prob": false, "rope_scaling": null)")
          .value();
  EXPECT_EQ(deepseek.num_experts, 8);
  EXPECT_EQ(deepseek.n_shared_experts, 2);
  EXPECT_EQ(deepseek.first_k_dense_replace, 1);
}

TEST(Models, OfOtherKindsAreRefusedByName) {
  const auto why = [](const std::string& members) { return of_config(members).error().message; };
  EXPECT_EQ(why(R"("model_type": "gemma3")"),
            "config.json: its model_type is 'gemma3' (known: llama, mistral, mixtral, qwen3, "
            "qwen3_moe, deepseek)");
  EXPECT_NE(why(R"("model_type": "llama", "attention_bias": true)").find("attention_bias"),
            std::string::npos);
  EXPECT_NE(why(R"("model_type": "llama", "rope_scaling": {"rope_type": "llama3"})").find("llama3"),
            std::string::npos);
  EXPECT_NE(why(R"("model_type": "llama", "hidden_act": "gelu")").find("gelu"), std::string::npos);
  EXPECT_NE(why(R"("model_type": "llama", "num_key_value_heads": 3)").find("num_key_value_heads"),
            std::string::npos);
  EXPECT_NE(why(R"("model_type": "deepseek", "n_routed_experts": 8, "num_experts_per_tok": 3,
                   "moe_layer_freq": 2)")
                .find("moe_layer_freq"),
            std::string::npos);
  EXPECT_EQ(find_model("mistral", paths::data()).error().message.substr(0, 60),
            "there is no model 'mistral' (known: deepseek-moe-16b, mistra");
}

TEST(Models, TooLargeToCountAreRefused) {
  ModelConfig m = known("mixtral-8x7b");
  m.num_experts = m.hidden_size = m.intermediate_size = 1 << 24;
  EXPECT_NE(validate(m).error().message.find("parameters"), std::string::npos);
}

TEST(Models, InTheCacheOfHuggingFaceAreNamedAsTheyAreThere) {
  Folder folder;
  const std::string snapshot = folder / "models--Qwen--Qwen3-0.6B/snapshots/c1899de2";
  std::filesystem::create_directories(snapshot);
  std::ofstream(snapshot + "/config.json") << config(R"("model_type": "qwen3")");
  EXPECT_EQ(find_model(snapshot, paths::data())->model.name, "qwen3-0.6b");
  EXPECT_EQ(find_model(snapshot + "/", paths::data())->model.name, "qwen3-0.6b");
}

// A folder with weights whose shapes are other ones is none of this model.
TEST(Models, InFoldersAreHeldAgainstTheirWeights) {
  Folder folder;
  folder.write("config.json", config(R"("model_type": "llama")"));
  EXPECT_TRUE(find_model(folder / "", paths::data()));
  const auto header = [&](int64_t rows, int64_t rest) {
    const int64_t embedding = rows * 64 * 2;
    std::string json = R"({"model.embed_tokens.weight":{"dtype":"BF16","shape":[)" +
                       std::to_string(rows) + R"(,64],"data_offsets":[0,)" +
                       std::to_string(embedding) + R"(]},"rest":{"dtype":"BF16","shape":[)" +
                       std::to_string(rest) + R"(],"data_offsets":[)" + std::to_string(embedding) +
                       "," + std::to_string(embedding + rest * 2) + "]}}";
    const uint64_t length = json.size();
    std::string file(reinterpret_cast<const char*>(&length), 8);
    return file + json + std::string(static_cast<size_t>(embedding + rest * 2), '\0');
  };
  const int64_t all = parameters(find_model(folder / "", paths::data())->model).all;
  folder.write("model.safetensors", header(100, all - 6400));
  EXPECT_TRUE(find_model(folder / "", paths::data()));
  folder.write("model.safetensors", header(100, all - 6399));
  EXPECT_NE(find_model(folder / "", paths::data()).error().message.find(std::to_string(all + 1)),
            std::string::npos);
  folder.write("model.safetensors", header(99, all - 99 * 64));
  EXPECT_NE(find_model(folder / "", paths::data()).error().message.find("[99, 64]"),
            std::string::npos);
}

// What a file of another program may say.
class OfGguf : public testing::Test {
 protected:
  void set(const std::string& key, GgufValue value) {
    for (auto& [name, old] : metadata) {
      if (name == key) old = value;
    }
  }
  Result<GgufModel> read() {
    Gguf gguf{.metadata = metadata, .tensors = tensors};
    return model_of_gguf(gguf, "x.gguf");
  }
  std::string why() { return read().error().message; }

  ModelConfig model = known("tiny-llama");
  GgufMetadata metadata = gguf_metadata(model, ModelFormat::q8_0).value();
  std::vector<GgufTensor> tensors =
      lay_out_gguf(metadata, gguf_tensors(model, ModelFormat::q8_0)).value().tensors;
};

TEST_F(OfGguf, ArchitecturesAreRefusedByName) {
  set("general.architecture", std::string("gemma3"));
  EXPECT_EQ(why(),
            "x.gguf: its architecture is 'gemma3' (known: llama, qwen3, qwen3moe, deepseek)");
}
TEST_F(OfGguf, TensorsHaveToBeThoseOfTheMetadata) {
  set("llama.feed_forward_length", uint32_t{768});
  EXPECT_EQ(why(),
            "x.gguf: its tensor blk.0.ffn_gate.weight is [512, 256], and its metadata ask for "
            "[768, 256]");
  set("llama.feed_forward_length", uint32_t{512});
  std::erase_if(tensors, [](const GgufTensor& t) { return t.name == "blk.1.attn_k.weight"; });
  EXPECT_EQ(why(), "x.gguf: its tensor blk.1.attn_k.weight is missing");
}
TEST_F(OfGguf, OtherTensorsAndKeysAreNamedAndCounted) {
  const int64_t before = read()->file.matrix_bytes;
  for (int layer = 0; layer < 3; ++layer) {
    tensors.push_back({.name = "blk." + std::to_string(layer) + ".attn_q.bias",
                       .format = BlockFormat::f32,
                       .shape = {256},
                       .bytes = 1024});
  }
  metadata.emplace_back("llama.rope.scaling.type", std::string("yarn"));
  const auto found = read();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->file.matrix_bytes, before + 3 * 1024);
  EXPECT_EQ(found->beyond,
            (std::vector<std::string>{"RoPE scaled: 'yarn'", "'attn_q.bias' (3 of them)"}));
}
TEST_F(OfGguf, NumbersAreTakenAsArraysToo) {
  set("llama.attention.head_count_kv", std::vector<int32_t>{2, 2, 2});
  EXPECT_EQ(read()->model, model);
  set("llama.attention.head_count_kv", std::vector<int32_t>{2, 1, 2});
  EXPECT_NE(why().find("attention.head_count_kv differs from layer to layer"), std::string::npos);
}
TEST_F(OfGguf, HostileNumbersAreErrors) {
  for (const char* key : {"llama.block_count", "llama.embedding_length",
                          "llama.attention.head_count", "llama.context_length"}) {
    for (const GgufValue& value :
         {GgufValue(uint32_t{0}), GgufValue(~uint64_t{0}), GgufValue(int32_t{-1}),
          GgufValue(std::string("4")), GgufValue(std::vector<int32_t>{})}) {
      const GgufMetadata before = metadata;
      set(key, value);
      EXPECT_FALSE(read()) << key;
      metadata = before;
    }
  }
}
TEST_F(OfGguf, NamesComeFromTheFile) {
  set("general.name", std::string("My Llama / 7B"));
  EXPECT_EQ(read()->model.name, "my-llama-7b");
  set("general.name", std::string(""));
  EXPECT_EQ(read()->model.name, "x");
  EXPECT_EQ(read()->file.label, "Q8_0");
  set("general.file_type", uint32_t{999});
  EXPECT_EQ(read()->file.label, "Q8_0");
  EXPECT_EQ(as_model_name("..//--"), "model");
}

// What llama.cpp's architectures cannot compute is not written as one of them.
TEST(Models, ThatLlamaCppLacksAreNotWritten) {
  ModelConfig m = known("tiny-deepseek");
  m.norm_topk_prob = true;
  EXPECT_FALSE(gguf_metadata(m, ModelFormat::f16));
  m = known("tiny-llama");
  m.num_experts = m.num_experts_per_tok = 4;
  EXPECT_FALSE(gguf_metadata(m, ModelFormat::f16));
  m.norm_topk_prob = true;
  EXPECT_TRUE(gguf_metadata(m, ModelFormat::f16));
  m.n_shared_experts = 1;
  EXPECT_FALSE(gguf_metadata(m, ModelFormat::f16));
  m = known("tiny-llama");
  m.intermediate_size = 100;
  EXPECT_NE(storable(m, ModelFormat::q4_0).error().message.find("ffn_down"), std::string::npos);
  EXPECT_TRUE(storable(m, ModelFormat::bf16));
}

}  // namespace
