"""ridge model and ridge fit: what they say, what they write, what they refuse."""

import json

from harness import RidgeTest, main

QWEN3 = {"model_type": "qwen3", "num_hidden_layers": 28, "hidden_size": 1024, "head_dim": 128,
         "num_attention_heads": 16, "num_key_value_heads": 8, "intermediate_size": 3072,
         "vocab_size": 151936, "max_position_embeddings": 40960, "rms_norm_eps": 1e-6,
         "rope_theta": 1000000, "tie_word_embeddings": True, "hidden_act": "silu",
         "architectures": ["Qwen3ForCausalLM"], "use_sliding_window": False}


class Models(RidgeTest):
    def said(self, *args):
        result = self.ridge(*args)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def json_of(self, *args):
        return json.loads(self.said("model", *args, "--json"))

    def test_names_are_listed(self):
        out = self.said("model")
        for name in ("mistral-7b", "mixtral-8x7b", "qwen3-0.6b", "stories110m", "deepseek-moe-16b"):
            self.assertIn(name, out)
        names = [entry["model"]["name"] for entry in self.json_of()]
        self.assertEqual(names, sorted(names))

    def test_a_model(self):
        self.assertIn("7241732096 parameters", self.said("model", "mistral-7b"))
        mixtral = self.json_of("mixtral-8x7b")
        self.assertEqual(mixtral["active_parameters"], 12879925248)
        self.assertEqual(mixtral["kv_bytes_per_token"]["f16"], 131072)

    def test_a_folder_of_hugging_face_is_the_model(self):
        folder = self.folder / "qwen3-0.6b"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(QWEN3))
        found, known = self.json_of(folder), self.json_of("qwen3-0.6b")
        self.assertEqual(found, known)
        self.assertEqual(self.json_of(folder / "config.json"), known)

    def test_a_file_that_was_written_is_the_model(self):
        for name in ("tiny-llama", "tiny-qwen3", "tiny-moe", "tiny-deepseek"):
            for form in ("f32", "bf16", "q8_0", "q4_0", "q4_k_m", "q6_k"):
                path = self.folder / f"{name}-{form}.gguf"
                self.assertIn(str(path), self.said("model", name, "--format", form, "-o", path))
                found, known = self.json_of(path), self.json_of(name)
                self.assertEqual(found["model"], known["model"])
                held = sum(found["file"][f"{part}_bytes"] for part in ("matrix", "embedding", "expert"))
                self.assertEqual(held, known["weight_bytes"][form])
                self.assertEqual(found["beyond_the_configuration"], [])

    def test_files_follow_from_the_seed(self):
        content = []
        for seed in (1, 1, 2):
            path = self.folder / "model.gguf"
            self.said("model", "tiny-qwen3", "--seed", seed, "-o", path)
            content.append(path.read_bytes())
        self.assertEqual(content[0], content[1])
        self.assertNotEqual(content[0], content[2])

    def test_fit(self):
        out = self.said("fit", "mistral-7b", "--memory", "8GiB", "--formats", "q8_0,f16",
                        "--context", "4096")
        self.assertRegex(out, r"q8_0 +\| f16 +\| +4096 \|.*yes, ")
        self.assertRegex(out, r"f16 +\| f16 +\| +4096 \|.*no, by ")
        out = json.loads(self.said("fit", "mistral-7b", "--memory", "8GiB", "-o", "json"))
        self.assertEqual({row["context"] for row in out["rows"]}, {2048, 4096, 8192, 32768})
        for row in out["rows"]:
            self.assertEqual(row["total_bytes"], row["weight_bytes"] + row["kv_bytes"] +
                             row["working_bytes"] + row["output_bytes"])
            (fits,) = row["fits"]
            self.assertEqual(fits["spare_bytes"], 2**33 - row["total_bytes"])
            self.assertEqual(fits["fits"], fits["spare_bytes"] >= 0)
            self.assertEqual(fits["fits"], row["context"] <= fits["longest_context"])

    def test_fit_of_a_file_and_of_this_machine(self):
        path = self.folder / "tiny.gguf"
        self.said("model", "tiny-llama", "--format", "q4_k_m", "-o", path)
        out = json.loads(self.said("fit", path, "-o", "json"))
        self.assertEqual({row["format"] for row in out["rows"]}, {"q4_k-medium"})
        self.assertTrue(out["memories"])
        self.assertTrue(all(row["fits"][0]["fits"] for row in out["rows"]))

    def test_what_is_refused(self):
        self.assert_usage(self.ridge("model", "llama"), "no model 'llama'", "mistral-7b")
        self.assert_usage(self.ridge("fit", "nothing.gguf"), "nothing.gguf")
        self.assert_usage(self.ridge("fit", "tiny-llama", "--memory", "lots"), "--memory")
        self.assert_usage(self.ridge("fit", "tiny-llama", "--formats", "q3"), "--formats", "q8_0")
        self.assert_usage(self.ridge("fit", "tiny-llama", "--kv", "int8"), "--kv", "q8_0")
        self.assert_usage(self.ridge("fit", "tiny-llama", "--context", "0"), "--context")
        self.assert_usage(self.ridge("fit", "tiny-llama", "--batch", "0"), "--batch")
        self.assert_usage(self.ridge("model", "tiny-llama", "--format", "q3", "-o", "x.gguf"), "q3")
        self.assert_usage(self.ridge("model", "-o", "x.gguf"), "-o")
        self.assert_usage(self.ridge("model", self.folder), "config.json")
        path = self.folder / "tiny.gguf"
        self.said("model", "tiny-llama", "-o", path)
        self.assert_usage(self.ridge("model", path, "-o", path), "overwrite")
        path.write_bytes(path.read_bytes()[:5000])
        self.assert_usage(self.ridge("model", path), "tiny.gguf")
        missing = self.ridge("model", "tiny-llama", "-o", self.folder / "none" / "x.gguf")
        self.assertEqual(missing.returncode, 1, missing.stderr)


if __name__ == "__main__":
    main()
