local cjson = require("cjson")
local config = require("maas_llm_config")

local function settings(text) return config.settings(cjson.decode(text)) end

describe("a configuration", function()
  it("may be absent, null or empty", function()
    for _, given in ipairs({ false, cjson.null, {} }) do
      local found = config.settings(given or nil)
      assert.same({ "prompt_tokens", "completion_tokens", "total_tokens" }, found.limited_metrics)
      assert.equal(30, found.timeout)
      assert.equal(10, found.retries)
      assert.is_true(config.has_path(found.inference_paths, "/v1/chat/completions"))
      assert.is_false(config.has_path(found.inference_paths, "/v1/models"))
    end
  end)

  it("takes null for absent", function()
    local found = settings('{"metrics":null,"limited_metrics":null,"report":{"retries":null},"continuous_usage":null}')
    assert.equal(10, found.retries)
    assert.is_false(found.continuous_usage)
  end)

  it("limits the metrics that it renames", function()
    local found = settings('{"metrics":{"total":"tokens"}}')
    assert.same({ "prompt_tokens", "completion_tokens", "tokens" }, found.limited_metrics)
  end)

  it("may limit nothing", function()
    assert.same({}, settings('{"limited_metrics":[]}').limited_metrics)
  end)

  it("names paths with or without a slash at the end", function()
    local found = settings('{"inference_paths":["/a/"]}')
    for _, path in ipairs({ "/a", "/a/", "/a//" }) do assert.is_true(config.has_path(found.inference_paths, path)) end
    assert.is_false(config.has_path(found.inference_paths, "/"))
  end)

  for _, text in ipairs({
    '1', '{"metrics":[1],"report":1}', '{"metrics":{"prompt":""}}', '{"metrics":{"total":1}}', '{"limited_metrics":"a"}',
    '{"inference_paths":[1]}', '{"stream_options_paths":[""]}', '{"report":{"retries":-1}}', '{"report":{"retries":1.5}}',
    '{"report":{"timeout_ms":0}}', '{"continuous_usage":"yes"}', '{"hide_injected_usage":1}',
  }) do
    it("is refused when it is " .. text, function()
      assert.has_error(function() settings(text) end)
    end)
  end
end)
