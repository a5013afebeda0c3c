;; H21: exports an interface of the governor's name, with a decision that allows all.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\05\00\00\00ALLOW")
    (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $enforce (result string)
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
  (instance $policy (export "enforce" (func $enforce)))
  (export "thoth:governance/policy@0.1.0" (instance $policy))
  (export "thoth:governance/wrapping@0.1.0" (instance $policy))
  (export "run" (func $enforce)))
