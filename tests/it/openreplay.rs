use crate::harness::Server;

#[test]
fn an_unknown_user_is_null() {
    let server = Server::start();
    let project = server.project();
    let path = format!("/api/v1/{}/users/ann", project.key);
    let reply = server.get(&path).header("Authorization", &project.all).send().expect(200);
    assert_eq!(reply.json(), serde_json::json!({ "data": null }));
}
