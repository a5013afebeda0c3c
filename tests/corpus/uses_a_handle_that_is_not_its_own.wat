;; H22: drops handles that it was never given.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (core func $drop (canon resource.drop $pollable))
  (core module $m
    (import "" "drop" (func $drop (param i32)))
    (func (export "run") (call $drop (i32.const 1))))
  (core instance $i (instantiate $m (with "" (instance (export "drop" (func $drop))))))
  (func (export "run") (canon lift (core func $i "run"))))
