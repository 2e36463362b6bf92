local _M = {}
local mt = { __index = _M }

function _M:new(service, http)
  return setmetatable({ service = service, http = http }, mt)
end

local function url(self, path, ...)
  local args = { service_id = self.service.id }
  args[self.service.backend_authentication.type] = self.service.backend_authentication.value
  for _, more in ipairs({ ... }) do
    for name, value in pairs(more) do args[name] = value end
  end
  return self.service.backend.endpoint .. path .. "?" .. ngx.encode_args(args)
end

function _M:authrep(...)
  return self.http:send({ method = "GET", url = url(self, "/transactions/authrep.xml", ...), headers = {} })
end

function _M:report(batch)
  local form, index = {}, 0
  for credential, metrics in pairs(batch.reports) do
    form["transactions[" .. index .. "][" .. batch.credentials_type .. "]"] = credential
    for metric, value in pairs(metrics) do form["transactions[" .. index .. "][usage][" .. metric .. "]"] = value end
    index = index + 1
  end
  return self.http:send({
    method = "POST", url = url(self, "/transactions.xml"), body = ngx.encode_args(form),
    headers = { ["Content-Type"] = "application/x-www-form-urlencoded" },
  })
end

return _M
