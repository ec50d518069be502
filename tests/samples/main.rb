# Runs `verify.rb`, which the page has, on cases.
require "json"
require_relative "verify"

said = JSON.parse($stdin.read).map do |one|
  verify(one["secret"], one["headers"], one["body_base64"].unpack1("m"), one["now"])
end
puts JSON.generate(said)
