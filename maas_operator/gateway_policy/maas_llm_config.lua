--- Turns the policy's configuration into settings, or raises: with `on_failed` in the chain that fails closed.
local type, ipairs, pairs, error, floor = type, ipairs, pairs, error, math.floor

local _M = {}

local INFERENCE_PATHS = {
  "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages",
}
local STREAM_OPTIONS_PATHS = { "/v1/chat/completions", "/v1/completions" }
local METRICS = { prompt = "prompt_tokens", completion = "completion_tokens", total = "total_tokens" }
local TIMEOUT_MS, RETRIES = 30000, 10

local function given(value)
  -- A JSON null is a userdata: absent, for us.
  if type(value) ~= "userdata" then return value end
end

local function table_of(config, name)
  local value = given(config[name])
  if value == nil then return nil end
  if type(value) ~= "table" then error("token policy: " .. name .. " has the wrong type", 0) end
  return value
end

local function strings(config, name, default)
  local list = table_of(config, name) or default
  for _, item in ipairs(list) do
    if type(item) ~= "string" or item == "" then error("token policy: " .. name .. " must list strings", 0) end
  end
  return list
end

local function boolean(config, name)
  local value = given(config[name])
  if value ~= nil and type(value) ~= "boolean" then error("token policy: " .. name .. " must be true or false", 0) end
  return value or false
end

local function whole(config, name, default, least)
  local value = given(config[name])
  if value == nil then return default end
  if type(value) ~= "number" or value < least or value ~= floor(value) then
    error("token policy: " .. name .. " must be a whole number from " .. least, 0)
  end
  return value
end

local function metrics(config)
  local names, found = table_of(config, "metrics") or {}, {}
  for field, default in pairs(METRICS) do
    local name = given(names[field])
    if name ~= nil and (type(name) ~= "string" or name == "") then
      error("token policy: metrics." .. field .. " must be a metric's system name", 0)
    end
    found[field] = name or default
  end
  return found
end

local function without_slash(path)
  return #path > 1 and path:gsub("/+$", "") or path
end

local function path_set(paths)
  local set = {}
  for _, path in ipairs(paths) do set[without_slash(path)] = true end
  return set
end

--- Returns the settings for a policy configuration (a table or nil).
function _M.settings(config)
  config = given(config) or {}
  if type(config) ~= "table" then error("token policy: the configuration must be an object", 0) end
  local names, report = metrics(config), table_of(config, "report") or {}
  local limited = strings(config, "limited_metrics", { names.prompt, names.completion, names.total })
  return {
    metrics = names,
    limited_metrics = limited,
    inference_paths = path_set(strings(config, "inference_paths", INFERENCE_PATHS)),
    stream_options_paths = path_set(strings(config, "stream_options_paths", STREAM_OPTIONS_PATHS)),
    continuous_usage = boolean(config, "continuous_usage"),
    hide_injected_usage = boolean(config, "hide_injected_usage"),
    timeout = whole(report, "timeout_ms", TIMEOUT_MS, 1) / 1000,
    retries = whole(report, "retries", RETRIES, 0),
  }
end

--- True when a request path is in a set of the settings; a trailing slash makes no difference.
function _M.has_path(set, path)
  return set[path] or set[without_slash(path)] or false
end

return _M
