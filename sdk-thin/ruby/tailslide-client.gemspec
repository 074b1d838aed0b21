# frozen_string_literal: true

Gem::Specification.new do |spec|
  spec.name = "tailslide-client"
  spec.version = File.read(File.join(__dir__, "lib/tailslide_client.rb"))[/VERSION = "(.+)"/, 1]
  spec.summary = "Asks the Tailslide sidecar about feature flags and reports how calls ended"
  spec.description = "One file, the standard library alone. It raises nothing and keeps nobody waiting: after 50 ms you " \
                     "have your default."
  spec.authors = ["Tailslide"]
  spec.license = "Apache-2.0"
  spec.homepage = "https://github.com/tailslide/tailslide"
  spec.metadata = {
    "source_code_uri" => "https://github.com/tailslide/tailslide/tree/main/sdk-thin/ruby",
    "rubygems_mfa_required" => "true"
  }
  spec.required_ruby_version = ">= 3.0"
  spec.files = ["lib/tailslide_client.rb", "README.md", "LICENSE"]
end
