-- Plays APIcast's own policy: takes the key, matches rules, asks backend before the call or, "cached", after it.
local backend_client = require("apicast.backend_client")
local http = require("resty.http_ng.backend.resty")
local Usage = require("apicast.usage")

local _M = {}

local function refuse(status, text)
  ngx.status = status
  ngx.header.content_type = "text/plain"
  ngx.print(text)
  return ngx.exit(status)
end

local function authorise(context)
  return backend_client:new(context.service, http):authrep(context.usage:format(), context.credentials)
end

function _M.rewrite(_, context)
  local key = (ngx.var.http_authorization or ""):match("^Bearer (.+)$")
  if not key then return refuse(403, "Authentication parameters missing") end
  context.credentials = { user_key = key }
  context.cached = ngx.var.http_x_cached
  context.usage = Usage.new()
  if ngx.var.uri:sub(1, 4) == "/v1/" then
    local hits = Usage.new()
    hits:add("hits", 1)
    context.usage:merge(hits)
  end
end

function _M.access(_, context)
  if #context.usage.metrics == 0 then return refuse(404, "No Mapping Rule matched") end
  if context.cached then return end
  local status = authorise(context).status
  if status == 409 then return refuse(429, "Usage limit exceeded") end
  if status ~= 200 then return refuse(403, "Authentication failed") end
end

function _M.post_action(_, context)
  if context.cached then authorise(context) end
end

return _M
